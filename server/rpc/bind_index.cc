#include <utility>

#include "server/rpc/bindings.h"
#include "server/rpc/stream_item.h"
#include "server/services/index_service.h"
#include "sightline/v1/index_service.pb.h"

namespace sightline::server {
namespace {

class IndexBinding final : public Binding {
 public:
  IndexBinding(const ServiceContext& context, RpcServer* server) : service_(context) {
    server->AddUnary("IndexService/Index", [this](const RequestPtr& request, const v1::IndexRequest& message,
                                                  v1::IndexResponse* reply, Done done) {
      service_.Index(request, message, reply, Priority::kInteractive, std::move(done));
    });
    server->AddUnary("IndexService/GetImage",
                     [this](const RequestPtr& request, const v1::GetImageRequest& message, v1::GetImageResponse* reply,
                            Done done) { service_.GetImage(request, message, reply, std::move(done)); });
    server->AddUnary("IndexService/ListImages", [this](const RequestPtr& request, const v1::ListImagesRequest& message,
                                                       v1::ListImagesResponse* reply, Done done) {
      service_.ListImages(request, message, reply, std::move(done));
    });
    server->AddUnary(
        "IndexService/DeleteImages",
        [this](const RequestPtr& request, const v1::DeleteImagesRequest& message, v1::DeleteImagesResponse* reply,
               Done done) { service_.DeleteImages(request, message, reply, std::move(done)); });
    server->AddUnary("IndexService/UpdateAttributes",
                     [this](const RequestPtr& request, const v1::UpdateAttributesRequest& message,
                            v1::UpdateAttributesResponse* reply,
                            Done done) { service_.UpdateAttributes(request, message, reply, std::move(done)); });
    server->AddStream(
        "IndexService/IndexStream",
        [this](const RequestPtr& request, const v1::IndexStreamRequest& message,
               std::function<void(v1::IndexStreamResponse, const absl::Status&)> reply) {
          RunItem<v1::IndexResponse>(request, message, std::move(reply), [&](v1::IndexResponse* response, Done done) {
            service_.Index(request, message.request(), response, Priority::kBulk, std::move(done));
          });
        },
        &RefuseItem<v1::IndexStreamRequest, v1::IndexStreamResponse>);
  }

 private:
  IndexService service_;
};

}  // namespace

std::unique_ptr<Binding> BindIndexService(const ServiceContext& context, RpcServer* server) {
  return std::make_unique<IndexBinding>(context, server);
}

}  // namespace sightline::server
