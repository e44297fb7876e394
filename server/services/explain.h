// Explain, without gRPC: why two images match, each given as bytes or as the id of an image stored.
//
// Threading: may be called from any thread; returns at once and answers later, on another thread. Request, message and
// reply live until `done` is called. Failure: through `done`.
#ifndef SIGHTLINE_SERVER_SERVICES_EXPLAIN_H_
#define SIGHTLINE_SERVER_SERVICES_EXPLAIN_H_

#include <functional>

#include "absl/status/status.h"
#include "server/request.h"
#include "server/services/service_context.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::server {

void ExplainMatch(const ServiceContext& context, const RequestPtr& request, const v1::ExplainRequest& message,
                  v1::ExplainResponse* reply, std::function<void(absl::Status)> done);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_EXPLAIN_H_
