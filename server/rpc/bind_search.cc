#include <algorithm>
#include <chrono>
#include <utility>

#include "base/status.h"
#include "server/rpc/bindings.h"
#include "server/rpc/not_offered.h"
#include "server/services/search_service.h"
#include "sightline/v1/search_service.grpc.pb.h"

namespace sightline::server {
namespace {

class SearchBinding final : public Binding {
 public:
  SearchBinding(const ServiceContext& context, RpcServer* server) : service_(context) {
    using Async = v1::SearchService::AsyncService;
    server->AddService(&async_);
    server->AddUnary(&async_, &Async::RequestSearch, "SearchService/Search",
                     [this](const RequestPtr& request, const v1::SearchRequest& message, v1::SearchResponse* reply,
                            Done done) { service_.Search(request, message, reply, std::move(done)); });
    server->AddUnary(&async_, &Async::RequestEmbed, "SearchService/Embed",
                     [this](const RequestPtr& request, const v1::EmbedRequest& message, v1::EmbedResponse* reply,
                            Done done) { service_.Embed(request, message, reply, std::move(done)); });
    AddNotOffered(server, &async_, &Async::RequestExplain, "SearchService/Explain",
                  "Compare the two images by the score of a search.");
    server->AddStream(
        &async_, &Async::RequestSearchStream, "SearchService/SearchStream",
        [this](const RequestPtr& request, const v1::SearchStreamRequest& message,
               std::function<void(v1::SearchStreamResponse, absl::StatusCode)> reply) {
          SearchItem(request, message, std::move(reply));
        },
        &SearchBinding::Refuse);
  }

 private:
  static v1::SearchStreamResponse Refuse(const v1::SearchStreamRequest& message, const absl::Status& status) {
    v1::SearchStreamResponse reply;
    reply.set_request_id(message.request().request_id());
    *reply.mutable_status() = ToRpcStatus(status);
    return reply;
  }

  void SearchItem(const RequestPtr& stream_request, const v1::SearchStreamRequest& message,
                  std::function<void(v1::SearchStreamResponse, absl::StatusCode)> reply) {
    if (message.request().request_id().empty()) {
      const absl::Status status = base::InvalidArgument(
          "REQUEST_ID_MISSING",
          "`request_id` is empty, and replies of a stream are matched by it. Set one per request.",
          {{"field", "request.request_id"}});
      return reply(Refuse(message, status), status.code());
    }
    RequestPtr request = stream_request;
    if (message.has_timeout()) {
      // A timeout of centuries must not overflow; the stream's own deadline is the upper bound anyway.
      const int64_t seconds = std::clamp<int64_t>(message.timeout().seconds(), 0, 86'400);
      const auto timeout = std::chrono::seconds(seconds) + std::chrono::nanoseconds(message.timeout().nanos());
      request = Request::Within(stream_request, stream_request->clock().Steady() + timeout);
    }
    const auto response = std::make_shared<v1::SearchResponse>();
    service_.Search(request, message.request(), response.get(),
                    [&message, request, response, reply = std::move(reply)](absl::Status status) {
                      if (status.ok()) status = request->Check();
                      v1::SearchStreamResponse out = Refuse(message, status);
                      if (status.ok()) {
                        out.clear_status();
                        *out.mutable_response() = std::move(*response);
                      }
                      reply(std::move(out), status.code());
                    });
  }

  v1::SearchService::AsyncService async_;
  SearchService service_;
};

}  // namespace

std::unique_ptr<Binding> BindSearchService(const ServiceContext& context, RpcServer* server) {
  return std::make_unique<SearchBinding>(context, server);
}

}  // namespace sightline::server
