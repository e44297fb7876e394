// Operations: work that outlasts the request that asked for it, and that a restarted server still knows about.
//
// Work runs on threads of its own, two at a time; what waits is bounded. It reports its progress through a callback and
// stops soon after the callback has returned false: when it was cancelled, or when the server ends. Every change of a
// state is durable in one file of the data directory (operations_file.h); progress is not. The file of a server that
// stopped while work ran makes the next one repeat it, where its kind is listed in Options::repeatable, or show it as
// failed with the reason INTERRUPTED.
//
// Threading: all methods may be called from any thread; Start and Cancel write to the disk.
// Ownership: owns its threads; what the work uses must outlive the object. The destructor waits for work under way.
// Failure: Status. A file that is damaged is renamed, named in the log, and a new one is begun.
//
//   auto operations = Operations::Open({.directory = data_dir, .repeatable = {{"optimize", MakeOptimize}}});
//   auto started = (*operations)->Start("snapshot", "shop", [&](const index::Progress& progress) { ... });
//   (*operations)->Get(started->name());
#ifndef SIGHTLINE_SERVER_OPERATIONS_H_
#define SIGHTLINE_SERVER_OPERATIONS_H_

#include <google/protobuf/any.pb.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "index/collection.h"
#include "sightline/v1/operation.pb.h"

namespace sightline::server {

class Operations {
 public:
  // Returns what the operation produced: the message its RPC documents. Must not throw.
  using Work = std::function<absl::StatusOr<google::protobuf::Any>(const index::Progress& progress)>;
  // Makes the work of a kind that may be done twice without harm.
  using MakeWork = std::function<Work(const std::string& collection, const google::protobuf::Any& request)>;

  struct Options {
    std::string directory;  // holds the file "operations"
    std::map<std::string, MakeWork> repeatable = {};
    const base::Clock* clock = &base::Clock::Real();  // must outlive the object
    int threads = 2;
    size_t max_waiting = 64;
    size_t max_ended = 1000;  // ended operations that are kept
    absl::Duration keep_ended = absl::Hours(7 * 24);
  };

  // Reads the file. What was under way is not gone on with before Resume.
  static absl::StatusOr<std::unique_ptr<Operations>> Open(const Options& options);
  ~Operations();
  Operations(const Operations&) = delete;
  Operations& operator=(const Operations&) = delete;

  // Once, when what the work needs is there: starts again what can be repeated, and ends the rest as interrupted.
  void Resume();

  // `kind` is one of those v1.Operation documents. RESOURCE_EXHAUSTED when too much waits.
  absl::StatusOr<v1::Operation> Start(const std::string& kind, const std::string& collection, Work work);
  // The same for a kind of Options::repeatable, which makes the work from `request` now and after a restart.
  absl::StatusOr<v1::Operation> StartRepeatable(const std::string& kind, const std::string& collection,
                                                const google::protobuf::Message& request);

  // Whether the one who asks may see operations of this collection; empty: all of them. What it may not see is, to
  // it, not there.
  using Covers = std::function<bool(absl::string_view collection)>;

  absl::StatusOr<v1::Operation> Get(const std::string& name, const Covers& covers = nullptr) const;

  struct Page {
    std::vector<v1::Operation> operations;
    std::string next_page_token;  // empty on the last page
  };
  // Newest first. Empty `collection`: of all. A page of more than 8 MiB ends early.
  absl::StatusOr<Page> List(int page_size, const std::string& page_token, const std::string& collection,
                            const Covers& covers = nullptr) const;

  // Asks an operation to stop; one that has ended stays as it is.
  absl::StatusOr<v1::Operation> Cancel(const std::string& name, const Covers& covers = nullptr);

  // How many there are in each state, every state named.
  std::map<v1::Operation::State, int> CountByState() const;

  // From now on nothing new starts and work under way is asked to stop, as after a crash: the next server repeats it or
  // shows it as interrupted. Does not wait; the destructor does.
  void Drain();

  // The damaged file that was set aside, or empty.
  const std::string& set_aside() const { return set_aside_; }

 private:
  struct Entry {
    v1::Operation operation;
    google::protobuf::Any request;  // empty when it cannot be repeated
    bool cancel_asked = false;
    base::Clock::Ticks begin;     // of the work
    base::Clock::Ticks reported;  // of the last progress
  };

  explicit Operations(const Options& options);

  absl::Status Load();
  absl::StatusOr<v1::Operation> Begin(const std::string& kind, const std::string& collection,
                                      google::protobuf::Any request, Work work);
  void Run(uint64_t number, const Work& work);
  bool Report(uint64_t number, int64_t done, int64_t total);
  void End(uint64_t number, absl::StatusOr<google::protobuf::Any> result);
  absl::Status Save() const;
  void SaveOrLog() const;
  absl::StatusOr<uint64_t> Find(const std::string& name, const Covers& covers) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  v1::Operation Show(const Entry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetEnded(Entry& entry, v1::Operation::State state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether it ended so long ago that it is not shown any more.
  bool IsOld(const Entry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Drops what is old, and the oldest of too many.
  void Forget() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const std::string path_;
  std::string set_aside_;
  mutable base::Mutex file_mutex_;  // held while the file is written; taken before mutex_
  mutable base::Mutex mutex_;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);  // by number
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 1;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<base::ThreadPool> pool_;  // ends before everything it uses
};

// `message` as the result of an operation.
template <typename Message>
google::protobuf::Any Packed(const Message& message) {
  google::protobuf::Any any;
  any.PackFrom(message);
  return any;
}

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_OPERATIONS_H_
