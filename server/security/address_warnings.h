// What an operator should know about the addresses the server listens on: who can reach it, and who can read along.
//
// Threading: pure functions. Failure: none; an address that is none has no warning.
#ifndef SIGHTLINE_SERVER_SECURITY_ADDRESS_WARNINGS_H_
#define SIGHTLINE_SERVER_SECURITY_ADDRESS_WARNINGS_H_

#include <string>
#include <vector>

namespace sightline::server {

struct Listening {
  std::string grpc = {};
  std::string admin_grpc = {};  // empty: none
  std::string http = {};        // empty: none
  std::string admin_http = {};  // empty: none
  bool keys = false;
  bool tls = false;
  bool client_certificates = false;  // needed by every client
};

std::vector<std::string> AddressWarnings(const Listening& listening);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SECURITY_ADDRESS_WARNINGS_H_
