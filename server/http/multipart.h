// Multipart: a body of multipart/form-data: a part `request` with the JSON of the request, and parts whose names are
// paths of fields of type bytes (`query.parts[0].image`) with the files themselves. By libmicrohttpd's parser.
//
// Threading: of the listener's thread. Ownership: borrows the connection, which must live as long. Failure: a Status
// from Finish that says which part is wrong.
#ifndef SIGHTLINE_SERVER_HTTP_MULTIPART_H_
#define SIGHTLINE_SERVER_HTTP_MULTIPART_H_

#include <microhttpd.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/http/http_call.h"
#include "server/http/transcode.h"

namespace sightline::server {

class Multipart {
 public:
  // nullptr when the content type has no usable boundary.
  static std::unique_ptr<Multipart> Make(const HttpHead& head);

  void Feed(absl::string_view piece);
  absl::StatusOr<RequestBody> Finish();

 private:
  struct Destroy {
    void operator()(MHD_PostProcessor* parser) const { MHD_destroy_post_processor(parser); }
  };

  static MHD_Result Part(void* self, MHD_ValueKind, const char* key, const char* file, const char* type,
                         const char* encoding, const char* data, uint64_t offset, size_t size);
  absl::Status AddPart(const char* key, const char* encoding, absl::string_view piece, bool begins);

  RequestBody body_;
  bool has_request_ = false;
  std::string* part_ = nullptr;  // that comes now
  std::string part_name_;
  absl::Status status_;
  std::unique_ptr<MHD_PostProcessor, Destroy> parser_;  // last: it tells of a last part when it ends
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_MULTIPART_H_
