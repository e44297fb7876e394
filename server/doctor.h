// Doctor: looks at everything a server needs before it is started, and at its data, and says what to do (--doctor).
// Writes nothing.
//
// Threading: a pure function of the machine. Failure: every line has its own verdict.
//
//   const std::vector<DoctorLine> lines = Diagnose(options, load_model, CheckBlas(), devices.status());
//   std::fputs(DoctorTable(lines).c_str(), stdout);
//   return AnyFailed(lines) ? 1 : 0;
#ifndef SIGHTLINE_SERVER_DOCTOR_H_
#define SIGHTLINE_SERVER_DOCTOR_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/app.h"
#include "server/blas_check.h"
#include "server/options.h"

namespace sightline::server {

struct DoctorLine {
  enum class Verdict { kOk, kWarn, kFail };
  std::string what;
  Verdict verdict = Verdict::kOk;
  std::string found;  // what is there; with kWarn and kFail also what to do, in sentences
};

// `devices`: why what --device names cannot be used; OK where options.devices says what it came to.
std::vector<DoctorLine> Diagnose(const ServerOptions& options, const App::LoadModel& load_model, const BlasCheck& blas,
                                 const absl::Status& devices);

std::string DoctorTable(const std::vector<DoctorLine>& lines);
bool AnyFailed(const std::vector<DoctorLine>& lines);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_DOCTOR_H_
