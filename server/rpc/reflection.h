// Server reflection: what a tool that knows nothing of the API, such as grpcurl, asks for.
//
// Threading: any thread. Failure: told in the reply, as the protocol has it.
#ifndef SIGHTLINE_SERVER_RPC_REFLECTION_H_
#define SIGHTLINE_SERVER_RPC_REFLECTION_H_

#include <string>
#include <vector>

#include "grpc/reflection/v1alpha/reflection.pb.h"

namespace sightline::server {

// `services`: the full names of those that the server has.
void AnswerReflection(const std::vector<std::string>& services,
                      const grpc::reflection::v1alpha::ServerReflectionRequest& request,
                      grpc::reflection::v1alpha::ServerReflectionResponse* reply);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_REFLECTION_H_
