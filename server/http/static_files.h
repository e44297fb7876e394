// StaticFiles: the console and the OpenAPI document, which are part of the program.
//
// Threading: immutable once made. Ownership: replies share its bytes, so it outlives the listener. Failure: none; an
// unknown path has no file.
#ifndef SIGHTLINE_SERVER_HTTP_STATIC_FILES_H_
#define SIGHTLINE_SERVER_HTTP_STATIC_FILES_H_

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/http/http_call.h"

namespace sightline::server {

struct EmbeddedFile {
  absl::string_view path;  // "/app.js"
  absl::string_view content;
};

// What the build has put into the program.
absl::Span<const EmbeddedFile> EmbeddedFiles();

class StaticFiles {
 public:
  explicit StaticFiles(absl::Span<const EmbeddedFile> files);

  // nullopt: there is no such file. "/" is /index.html.
  std::optional<HttpReply> Find(const HttpHead& head) const;

 private:
  struct File {
    std::string content;
    std::string packed;  // by gzip; empty where that is no shorter
    std::string type;
    std::string tag;
  };
  std::map<std::string, File, std::less<>> files_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_STATIC_FILES_H_
