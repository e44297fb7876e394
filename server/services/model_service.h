// ModelService without gRPC: messages in, messages out.
//
// Threading: all methods may be called from any thread. List and Get answer on a worker thread, Load and Unload on the
// loader's, one after the other. Request and reply live until `done` is called. Failure: through `done`.
#ifndef SIGHTLINE_SERVER_SERVICES_MODEL_SERVICE_H_
#define SIGHTLINE_SERVER_SERVICES_MODEL_SERVICE_H_

#include <functional>

#include "absl/status/status.h"
#include "server/request.h"
#include "server/services/service_context.h"
#include "sightline/v1/model_service.pb.h"

namespace sightline::server {

class ModelService {
 public:
  using Done = std::function<void(absl::Status)>;

  explicit ModelService(const ServiceContext& context) : context_(context) {}

  void List(const RequestPtr& request, const v1::ListModelsRequest& message, v1::ListModelsResponse* reply, Done done);
  void Get(const RequestPtr& request, const v1::GetModelRequest& message, v1::GetModelResponse* reply, Done done);
  void Load(const RequestPtr& request, const v1::LoadModelRequest& message, v1::LoadModelResponse* reply, Done done);
  void Unload(const RequestPtr& request, const v1::UnloadModelRequest& message, v1::UnloadModelResponse* reply,
              Done done);

 private:
  void RunOnLoader(const RequestPtr& request, std::function<absl::Status()> work, Done done);

  const ServiceContext context_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_MODEL_SERVICE_H_
