#include "server/doctor_security.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/image/encode.h"
#include "model/image/memory.h"
#include "model/image/sandbox/sandboxed_decoder.h"
#include "server/security/address_warnings.h"
#include "server/security/key_file.h"
#include "server/security/pem.h"
#include "server/start_decoder.h"

namespace sightline::server {
namespace {

using Verdict = DoctorLine::Verdict;

constexpr absl::Duration kSoon = absl::Hours(24 * 14);  // as the alert

DoctorLine CheckKeys(const std::string& path) {
  if (path.empty()) return {"keys", Verdict::kOk, "none are asked for: --api_keys is not set"};
  const auto keys = ReadKeyFile(path);
  if (!keys.ok()) return {"keys", Verdict::kFail, std::string(keys.status().message())};
  if (keys->empty()) {
    return {"keys", Verdict::kWarn,
            absl::StrCat(path, " lists no key: nobody can call the server. Add one, see `sightline keys create`.")};
  }
  return {"keys", Verdict::kOk, absl::StrCat(keys->size(), " in ", path)};
}

DoctorLine CheckCertificate(const TlsPaths& paths) {
  if (paths.certificate.empty()) return {"certificate", Verdict::kOk, "none: the connections are plain"};
  const auto identity = ReadIdentity(paths.certificate, paths.key);
  absl::Status status = identity.status();
  if (status.ok() && !paths.client_authorities.empty()) status = ReadAuthorities(paths.client_authorities).status();
  if (!status.ok()) return {"certificate", Verdict::kFail, std::string(status.message())};
  const std::string days = absl::StrCat(paths.certificate, " is good from ",
                                        absl::FormatTime("%Y-%m-%d", identity->not_before, absl::UTCTimeZone()), " to ",
                                        absl::FormatTime("%Y-%m-%d", identity->not_after, absl::UTCTimeZone()));
  const absl::Time now = absl::Now();
  if (now < identity->not_before || now + kSoon >= identity->not_after) {
    return {"certificate", Verdict::kWarn,
            absl::StrCat(days, ". Put a new one in its place: clients refuse a server outside of that time.")};
  }
  if (ReadableByAll(paths.key)) {
    return {"certificate", Verdict::kWarn,
            absl::StrCat(paths.key, " can be read by every user of this machine. Run chmod o-r on it.")};
  }
  return {"certificate", Verdict::kOk, days};
}

// Whether a line could be appended, without appending one.
DoctorLine CheckAuditLog(const std::string& path) {
  if (path.empty()) return {"audit log", Verdict::kOk, "none"};
  if (path == "-") return {"audit log", Verdict::kOk, "standard error"};
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const bool exists = ::access(path.c_str(), F_OK) == 0;
  if (::access(exists ? path.c_str() : folder.c_str(), exists ? W_OK : W_OK | X_OK) == 0) {
    return {"audit log", Verdict::kOk, path};
  }
  return {"audit log", Verdict::kFail,
          absl::StrCat(path, " cannot be written: ", std::strerror(errno),
                       ". Name a file in a folder that the server may write to.")};
}

// The system's own word for it.
bool IsConfined(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  bool filtered = false;
  bool unprivileged = false;
  for (std::string line; std::getline(status, line);) {
    filtered = filtered || line == "Seccomp:\t2";
    unprivileged = unprivileged || line == "NoNewPrivs:\t1";
  }
  return filtered && unprivileged;
}

}  // namespace

std::vector<DoctorLine> CheckSecurity(const ServerOptions& options) {
  std::vector<DoctorLine> lines = {CheckKeys(options.security.api_keys), CheckCertificate(options.security.tls),
                                   CheckAuditLog(options.security.audit_log)};
  for (std::string& warning : AddressWarnings(ListeningOf(options))) {
    lines.push_back({"addresses", Verdict::kWarn, std::move(warning)});
  }
  return lines;
}

DoctorLine CheckDecoder(const ServerOptions& options) {
  constexpr char kWhat[] = "image decoder";
  if (options.decode_isolation == DecodeIsolation::kNone) {
    return {kWhat, Verdict::kWarn,
            "--decode_isolation=none: images are decoded in the server, and one that crashes its codec ends it. Use "
            "--decode_isolation=process."};
  }
  image::SandboxedDecoder::Options one = DecoderOptions(options);
  one.helpers = 1;
  const auto decoder = image::SandboxedDecoder::Start(one);
  if (!decoder.ok()) return {kWhat, Verdict::kFail, std::string(decoder.status().message())};
  constexpr int kSide = 16;
  const image::Image grey{kSide, kSide, std::vector<uint8_t>(kSide * kSide * 3, 128), kSide, kSide};
  const absl::StatusOr<std::string> encoded = image::EncodeJpeg(grey, 80);
  absl::Status status = encoded.status();
  if (status.ok()) status = (*decoder)->Decode(*encoded, options.limits.image, {}).status();
  if (!status.ok()) {
    return {kWhat, Verdict::kFail,
            absl::StrCat(one.program, " starts and does not decode: ", std::string(status.message()))};
  }
  const std::vector<pid_t> helpers = (*decoder)->helpers();
  if (helpers.empty() || !IsConfined(helpers.front())) {
    return {kWhat, Verdict::kFail,
            absl::StrCat(one.program,
                         " decodes, but the system does not say that seccomp and no_new_privs are on for it. Use a "
                         "kernel that has them, and mount /proc.")};
  }
  return {kWhat, Verdict::kOk,
          absl::StrCat(one.program, " decodes, confined by seccomp, with at most ",
                       image::MemoryLimit(one.limits.max_pixels) >> 20, " MiB and ", absl::FormatDuration(one.time),
                       " for an image")};
}

}  // namespace sightline::server
