#include <utility>

#include "base/status.h"
#include "server/rpc/bindings.h"
#include "server/services/index_service.h"
#include "sightline/v1/index_service.grpc.pb.h"

namespace sightline::server {
namespace {

class IndexBinding final : public Binding {
 public:
  IndexBinding(const ServiceContext& context, RpcServer* server) : service_(context) {
    using Async = v1::IndexService::AsyncService;
    server->AddService(&async_);
    server->AddUnary(
        &async_, &Async::RequestIndex, "IndexService/Index",
        [this](const RequestPtr& request, const v1::IndexRequest& message, v1::IndexResponse* reply, Done done) {
          service_.Index(request, message, reply, Priority::kInteractive, std::move(done));
        });
    server->AddUnary(&async_, &Async::RequestGetImage, "IndexService/GetImage",
                     [this](const RequestPtr& request, const v1::GetImageRequest& message, v1::GetImageResponse* reply,
                            Done done) { service_.GetImage(request, message, reply, std::move(done)); });
    server->AddUnary(
        &async_, &Async::RequestListImages, "IndexService/ListImages",
        [this](const RequestPtr& request, const v1::ListImagesRequest& message, v1::ListImagesResponse* reply,
               Done done) { service_.ListImages(request, message, reply, std::move(done)); });
    server->AddUnary(
        &async_, &Async::RequestDeleteImages, "IndexService/DeleteImages",
        [this](const RequestPtr& request, const v1::DeleteImagesRequest& message, v1::DeleteImagesResponse* reply,
               Done done) { service_.DeleteImages(request, message, reply, std::move(done)); });
    server->AddUnary(&async_, &Async::RequestUpdateAttributes, "IndexService/UpdateAttributes",
                     [this](const RequestPtr& request, const v1::UpdateAttributesRequest& message,
                            v1::UpdateAttributesResponse* reply,
                            Done done) { service_.UpdateAttributes(request, message, reply, std::move(done)); });
    server->AddStream(
        &async_, &Async::RequestIndexStream, "IndexService/IndexStream",
        [this](const RequestPtr& request, const v1::IndexStreamRequest& message,
               std::function<void(v1::IndexStreamResponse, absl::StatusCode)> reply) {
          IndexItem(request, message, std::move(reply));
        },
        &IndexBinding::Refuse);
  }

 private:
  static v1::IndexStreamResponse Refuse(const v1::IndexStreamRequest& message, const absl::Status& status) {
    v1::IndexStreamResponse reply;
    reply.set_request_id(message.request().request_id());
    *reply.mutable_status() = ToRpcStatus(status);
    return reply;
  }

  void IndexItem(const RequestPtr& request, const v1::IndexStreamRequest& message,
                 std::function<void(v1::IndexStreamResponse, absl::StatusCode)> reply) {
    if (message.request().request_id().empty()) {
      const absl::Status status = base::InvalidArgument(
          "REQUEST_ID_MISSING",
          "`request_id` is empty, and replies of a stream are matched by it. Set one per request.",
          {{"field", "request.request_id"}});
      return reply(Refuse(message, status), status.code());
    }
    const auto response = std::make_shared<v1::IndexResponse>();
    service_.Index(request, message.request(), response.get(), Priority::kBulk,
                   [&message, response, reply = std::move(reply)](absl::Status status) {
                     v1::IndexStreamResponse out = Refuse(message, status);
                     if (status.ok()) {
                       out.clear_status();
                       *out.mutable_response() = std::move(*response);
                     }
                     reply(std::move(out), status.code());
                   });
  }

  v1::IndexService::AsyncService async_;
  IndexService service_;
};

}  // namespace

std::unique_ptr<Binding> BindIndexService(const ServiceContext& context, RpcServer* server) {
  return std::make_unique<IndexBinding>(context, server);
}

}  // namespace sightline::server
