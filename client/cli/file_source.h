// FileSource: the image files of one run as a source of writes, for Client::IndexMany. A file that the server has
// already, byte for byte, is not sent again, nor is one whose bytes this run has met under another id.
//
// Threading: one thread at a time. Ownership: borrows context, report, known images and attributes. Failure: per file,
// told to the report.
//
//   FileSource source(context, report, next_file, known, attributes,
//                     {.collection = "shop", .max_image_bytes = 16 << 20});
//   client.IndexMany([&] { return source.Next(); }, [&](const auto& outcome) { source.Tell(outcome); });
#ifndef SIGHTLINE_CLIENT_CLI_FILE_SOURCE_H_
#define SIGHTLINE_CLIENT_CLI_FILE_SOURCE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "client/cli/command.h"
#include "client/cli/image_files.h"
#include "client/cli/index_report.h"
#include "client/cli/item_attributes.h"
#include "client/cli/known_images.h"
#include "client/cpp/index_many.h"

namespace sightline::cli {

class FileSource {
 public:
  struct Options {
    std::string collection = {};
    int64_t max_image_bytes = 0;
    std::string reembed_model = {};  // empty for an ordinary write
    bool keep_duplicates = true;     // send files with the bytes of another one too
  };
  // The next file to index, or nothing at the end.
  using NextFile = std::function<std::optional<ImageFile>()>;

  FileSource(Context& context, IndexReport& report, NextFile next_file, const KnownImages& known,
             ItemAttributes& attributes, Options options);

  // The next file that the server does not have; files that cannot be sent are reported on the way.
  std::optional<v1::IndexRequest> Next();
  void Tell(const client::ItemOutcome& outcome);

 private:
  // The id under which this run has met the bytes before; else notes this one.
  std::optional<std::string> MetBefore(const std::string& sha256, const std::string& id);

  Context& context_;
  IndexReport& report_;
  const NextFile next_file_;
  const KnownImages& known_;
  ItemAttributes& attributes_;
  const Options options_;
  std::string run_;
  std::map<std::string, std::string> path_by_id_;  // of those in flight
  // Where in met_ids_ the first id of some bytes begins. One text and not one for each: a million ids stay small.
  absl::flat_hash_map<ShortDigest, uint64_t> met_;
  std::string met_ids_;  // each with a NUL behind it
};

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_FILE_SOURCE_H_
