#include "server/rpc/async_service.h"

#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/impl/rpc_service_method.h>

#include "absl/strings/str_cat.h"

namespace sightline::server {

void AsyncMethod::Listen(grpc::ServerContext* context, grpc::internal::ServerAsyncStreamingInterface* stream,
                         grpc::ServerCompletionQueue* queue, void* tag) const {
  service_->RequestAsyncBidiStreaming(index_, context, stream, queue, queue, tag);
}

AsyncMethod AsyncService::Add(const std::string& method) {
  const std::string& path = paths_.emplace_back(absl::StrCat("/", full_name_, "/", method));
  AddMethod(new grpc::internal::RpcServiceMethod(path.c_str(), grpc::internal::RpcMethod::BIDI_STREAMING,
                                                 /*handler=*/nullptr));
  const int index = static_cast<int>(paths_.size()) - 1;
  MarkMethodAsync(index);
  return AsyncMethod(this, index);
}

}  // namespace sightline::server
