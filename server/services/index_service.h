// IndexService without gRPC: messages in, messages out.
//
// Threading: all methods may be called from any thread; they return at once and answer on another thread where a model
// or the disk is needed. Request and reply live until `done` is called. Failure: through `done`.
#ifndef SIGHTLINE_SERVER_SERVICES_INDEX_SERVICE_H_
#define SIGHTLINE_SERVER_SERVICES_INDEX_SERVICE_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "server/batcher.h"
#include "server/request.h"
#include "server/services/service_context.h"
#include "sightline/v1/index_service.pb.h"

namespace sightline::server {

class IndexService {
 public:
  using Done = std::function<void(absl::Status)>;

  explicit IndexService(const ServiceContext& context) : context_(context) {}

  // Streams index in bulk: their images wait behind those of searches.
  void Index(const RequestPtr& request, const v1::IndexRequest& message, v1::IndexResponse* reply, Priority priority,
             Done done);
  void GetImage(const RequestPtr& request, const v1::GetImageRequest& message, v1::GetImageResponse* reply, Done done);
  void ListImages(const RequestPtr& request, const v1::ListImagesRequest& message, v1::ListImagesResponse* reply,
                  Done done);
  void DeleteImages(const RequestPtr& request, const v1::DeleteImagesRequest& message, v1::DeleteImagesResponse* reply,
                    Done done);
  void UpdateAttributes(const RequestPtr& request, const v1::UpdateAttributesRequest& message,
                        v1::UpdateAttributesResponse* reply, Done done);

 private:
  const ServiceContext context_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_INDEX_SERVICE_H_
