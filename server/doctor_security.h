// What --doctor says of who may come in and of what images are decoded in. See doctor.h.
//
// Threading: pure functions of the machine. Failure: every line has its own verdict.
#ifndef SIGHTLINE_SERVER_DOCTOR_SECURITY_H_
#define SIGHTLINE_SERVER_DOCTOR_SECURITY_H_

#include <vector>

#include "server/doctor.h"

namespace sightline::server {

// Keys, certificates, the audit log, and the addresses that others reach. Files are read and not written.
std::vector<DoctorLine> CheckSecurity(const ServerOptions& options);

// Starts a helper, decodes an image in it, and looks at whether it is confined.
DoctorLine CheckDecoder(const ServerOptions& options);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_DOCTOR_SECURITY_H_
