// ServerService without gRPC.
//
// Threading: any thread. Failure: none.
#ifndef SIGHTLINE_SERVER_SERVICES_SERVER_SERVICE_H_
#define SIGHTLINE_SERVER_SERVICES_SERVER_SERVICE_H_

#include "server/call_info.h"
#include "server/services/service_context.h"
#include "sightline/v1/server_service.pb.h"

namespace sightline::server {

class ServerService {
 public:
  explicit ServerService(const ServiceContext& context) : context_(context) {}

  // A caller hears of damaged collections that its grant covers.
  void GetServerInfo(const CallInfo& call, v1::GetServerInfoResponse* reply) const;

 private:
  const ServiceContext context_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_SERVER_SERVICE_H_
