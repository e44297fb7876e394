// EvalCollection: the collection that a benchmark's pictures are searched in. One that is not named is made for this
// run, under a name that its content decides, and deleted with the object, also after Ctrl-C. Where a run has kept it,
// or was killed, the next goes on with it and keeps it.
//
// Threading: one thread at a time. Ownership: borrows context and client; the destructor deletes what the run made.
// Failure: the server's errors; pictures that are not indexed are counted and listed on standard error.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, EvalCollection::Fill(context, client, files, options));
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_COLLECTION_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_COLLECTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "client/cli/command.h"
#include "client/cli/evaluate/files.h"
#include "client/cpp/client.h"

namespace sightline::cli {

class EvalCollection {
 public:
  struct Options {
    std::string name;   // empty: made for this run
    std::string model;  // of a new one; empty for the server's default
    bool keep = false;
    int in_flight = 16;
    int64_t max_image_bytes = 0;
  };

  // Creates the collection where there is none and indexes the files that it does not have.
  static absl::StatusOr<std::unique_ptr<EvalCollection>> Fill(Context& context, client::Client& client,
                                                              const BenchFiles& files, const Options& options);
  ~EvalCollection();
  EvalCollection(const EvalCollection&) = delete;
  EvalCollection& operator=(const EvalCollection&) = delete;

  const v1::Collection& collection() const { return collection_; }
  bool kept() const { return !temporary_; }
  // kOk, kPartial where some pictures were not indexed, kInterrupted.
  int code() const { return code_; }
  // Pictures that were not indexed.
  int64_t failed() const { return failed_; }

 private:
  EvalCollection(Context& context, client::Client& client, v1::Collection collection, bool temporary)
      : context_(context), client_(client), collection_(std::move(collection)), temporary_(temporary) {}
  absl::Status Index(const BenchFiles& files, const Options& options);

  Context& context_;
  client::Client& client_;
  v1::Collection collection_;
  const bool temporary_;
  int code_ = kOk;
  int64_t failed_ = 0;
};

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_COLLECTION_H_
