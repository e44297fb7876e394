// What all bidirectional streams of the API share: each message carries a request with a `request_id`, and each is
// answered by a message with that id and a status or a response.
//
// Threading: any thread. Failure: an item without a `request_id` is refused, since its answer could not be matched.
#ifndef SIGHTLINE_SERVER_RPC_STREAM_ITEM_H_
#define SIGHTLINE_SERVER_RPC_STREAM_ITEM_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "base/status.h"
#include "server/request.h"
#include "server/rpc/status_map.h"

namespace sightline::server {

template <typename StreamRequest, typename StreamResponse>
StreamResponse RefuseItem(const StreamRequest& message, const absl::Status& status) {
  StreamResponse reply;
  reply.set_request_id(message.request().request_id());
  *reply.mutable_status() = ToRpcStatus(status);
  return reply;
}

// Runs `run(response, done)` for one item and answers with what it leaves in `response`.
template <typename Response, typename StreamRequest, typename StreamResponse>
void RunItem(const RequestPtr& request, const StreamRequest& message,
             std::function<void(StreamResponse, const absl::Status&)> reply,
             const std::function<void(Response*, std::function<void(absl::Status)>)>& run) {
  if (message.request().request_id().empty()) {
    const absl::Status status = base::InvalidArgument(
        "REQUEST_ID_MISSING", "`request_id` is empty, and replies of a stream are matched by it. Set one per request.",
        {{"field", "request.request_id"}});
    return reply(RefuseItem<StreamRequest, StreamResponse>(message, status), status);
  }
  const auto response = std::make_shared<Response>();
  run(response.get(), [&message, request, response, reply = std::move(reply)](absl::Status status) {
    if (status.ok()) status = request->Check();
    if (!status.ok()) return reply(RefuseItem<StreamRequest, StreamResponse>(message, status), status);
    StreamResponse out;
    out.set_request_id(message.request().request_id());
    *out.mutable_response() = std::move(*response);
    reply(std::move(out), absl::OkStatus());
  });
}

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_STREAM_ITEM_H_
