// Search, SearchStream's items, Explain and Embed, without gRPC: messages in, messages out.
//
// Threading: all methods may be called from any thread; they return at once when a model or the disk is needed and
// answer later, on another thread. Request and reply live until `done` is called. Failure: through `done`.
#ifndef SIGHTLINE_SERVER_SERVICES_SEARCH_SERVICE_H_
#define SIGHTLINE_SERVER_SERVICES_SEARCH_SERVICE_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "server/request.h"
#include "server/services/service_context.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::server {

class SearchService {
 public:
  using Done = std::function<void(absl::Status)>;

  explicit SearchService(const ServiceContext& context) : context_(context) {}

  void Search(const RequestPtr& request, const v1::SearchRequest& message, v1::SearchResponse* reply, Done done);
  void Explain(const RequestPtr& request, const v1::ExplainRequest& message, v1::ExplainResponse* reply, Done done);
  void Embed(const RequestPtr& request, const v1::EmbedRequest& message, v1::EmbedResponse* reply, Done done);

 private:
  class SearchCall;

  const ServiceContext context_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_SEARCH_SERVICE_H_
