// OperationService without gRPC: messages in, messages out.
//
// Threading: all methods may be called from any thread; they answer on a worker thread. Request and reply live until
// `done` is called. Failure: through `done`.
#ifndef SIGHTLINE_SERVER_SERVICES_OPERATION_SERVICE_H_
#define SIGHTLINE_SERVER_SERVICES_OPERATION_SERVICE_H_

#include <functional>

#include "absl/status/status.h"
#include "server/request.h"
#include "server/services/service_context.h"
#include "sightline/v1/operation_service.pb.h"

namespace sightline::server {

class OperationService {
 public:
  using Done = std::function<void(absl::Status)>;

  explicit OperationService(const ServiceContext& context) : context_(context) {}

  void Get(const RequestPtr& request, const v1::GetOperationRequest& message, v1::GetOperationResponse* reply,
           Done done);
  void List(const RequestPtr& request, const v1::ListOperationsRequest& message, v1::ListOperationsResponse* reply,
            Done done);
  void Cancel(const RequestPtr& request, const v1::CancelOperationRequest& message, v1::CancelOperationResponse* reply,
              Done done);

 private:
  const ServiceContext context_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_OPERATION_SERVICE_H_
