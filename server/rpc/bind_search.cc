#include <algorithm>
#include <chrono>
#include <utility>

#include "server/rpc/bindings.h"
#include "server/rpc/stream_item.h"
#include "server/services/search_service.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::server {
namespace {

class SearchBinding final : public Binding {
 public:
  SearchBinding(const ServiceContext& context, RpcServer* server) : service_(context) {
    server->AddUnary("SearchService/Search",
                     [this](const RequestPtr& request, const v1::SearchRequest& message, v1::SearchResponse* reply,
                            Done done) { service_.Search(request, message, reply, std::move(done)); });
    server->AddUnary("SearchService/Embed",
                     [this](const RequestPtr& request, const v1::EmbedRequest& message, v1::EmbedResponse* reply,
                            Done done) { service_.Embed(request, message, reply, std::move(done)); });
    server->AddUnary("SearchService/Explain",
                     [this](const RequestPtr& request, const v1::ExplainRequest& message, v1::ExplainResponse* reply,
                            Done done) { service_.Explain(request, message, reply, std::move(done)); });
    server->AddStream(
        "SearchService/SearchStream",
        [this](const RequestPtr& stream_request, const v1::SearchStreamRequest& message,
               std::function<void(v1::SearchStreamResponse, const absl::Status&)> reply) {
          const RequestPtr request = WithTimeout(stream_request, message);
          RunItem<v1::SearchResponse>(request, message, std::move(reply), [&](v1::SearchResponse* response, Done done) {
            service_.Search(request, message.request(), response, std::move(done));
          });
        },
        &RefuseItem<v1::SearchStreamRequest, v1::SearchStreamResponse>);
  }

 private:
  // An item may bring a deadline of its own, earlier than the stream's.
  static RequestPtr WithTimeout(const RequestPtr& request, const v1::SearchStreamRequest& message) {
    if (!message.has_timeout()) return request;
    // A timeout of centuries must not overflow; the stream's own deadline is the upper bound anyway.
    const int64_t seconds = std::clamp<int64_t>(message.timeout().seconds(), 0, 86'400);
    const auto timeout = std::chrono::seconds(seconds) + std::chrono::nanoseconds(message.timeout().nanos());
    return Request::Within(request, request->clock().Steady() + timeout);
  }

  SearchService service_;
};

}  // namespace

std::unique_ptr<Binding> BindSearchService(const ServiceContext& context, RpcServer* server) {
  return std::make_unique<SearchBinding>(context, server);
}

}  // namespace sightline::server
