// FileSource: the image files of one run as a source of writes, for Client::IndexMany. A file that the server has
// already, byte for byte, is not sent again.
//
// Threading: one thread at a time. Ownership: borrows context, report, files and known images. Failure: per file, told
// to the report.
//
//   FileSource source(context, report, found.files, known, {.collection = "shop", .max_image_bytes = 16 << 20});
//   client.IndexMany([&] { return source.Next(); }, [&](const auto& outcome) { source.Tell(outcome); });
#ifndef SIGHTLINE_CLIENT_CLI_FILE_SOURCE_H_
#define SIGHTLINE_CLIENT_CLI_FILE_SOURCE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/command.h"
#include "client/cli/image_files.h"
#include "client/cli/index_report.h"
#include "client/cli/known_images.h"
#include "client/cli/values.h"
#include "client/cpp/index_many.h"

namespace sightline::cli {

class FileSource {
 public:
  struct Options {
    std::string collection = {};
    AttributeMap attributes = {};
    int64_t max_image_bytes = 0;
    std::string reembed_model = {};  // empty for an ordinary write
  };

  FileSource(Context& context, IndexReport& report, const std::vector<ImageFile>& files, const KnownImages& known,
             Options options);

  // The next file that the server does not have; files that cannot be sent are reported on the way.
  std::optional<v1::IndexRequest> Next();

  void Tell(const client::ItemOutcome& outcome);

 private:
  Context& context_;
  IndexReport& report_;
  const std::vector<ImageFile>& files_;
  const KnownImages& known_;
  const Options options_;
  std::string run_;
  size_t next_ = 0;
  std::map<std::string, std::string> path_by_id_;  // of those in flight
};

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_FILE_SOURCE_H_
