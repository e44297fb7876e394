// CallInfo: who asks for what, beside the message itself. Filled in when a call arrives, constant afterwards.
#ifndef SIGHTLINE_SERVER_CALL_INFO_H_
#define SIGHTLINE_SERVER_CALL_INFO_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace sightline::server {

// What a caller must be allowed to, from nothing at all to everything.
enum class Access { kOpen, kRead, kWrite, kAdmin };

// What a caller may reach beside its access: made by what checks callers, asked by what shows or changes collections.
class Grant {
 public:
  virtual ~Grant() = default;
  virtual bool Covers(absl::string_view collection) const = 0;
};

struct CallInfo {
  std::string method = "";  // "SearchService/Search"
  Access access = Access::kAdmin;
  std::string collection = "";                   // empty where the message names none
  int64_t message_bytes = 0;                     // that it had on the wire; 0 where it is not held while it is handled
  std::string peer = "";                         // "ipv4:127.0.0.1:54321"
  std::string caller = "";                       // name of the key or certificate that was shown; empty: anonymous
  std::shared_ptr<const Grant> grant = nullptr;  // null: every collection
  std::string request_id = "";                   // the caller's own, or one that was made here
  // W3C trace context: 32 and 16 hexadecimal digits, empty where there is none.
  std::string trace_id = "";
  std::string parent_span = "";
  std::string span = "";

  bool Covers(absl::string_view name) const { return grant == nullptr || grant->Covers(name); }
};

// What came with a call beside its message, whatever carried it.
class CallMetadata {
 public:
  virtual ~CallMetadata() = default;
  // The first value of a header, by its name in lower case; empty where it is absent.
  virtual absl::string_view Header(absl::string_view name) const = 0;
  // All values of a header that may be given several times, with commas between them, as HTTP joins them.
  virtual std::string Joined(absl::string_view name) const { return std::string(Header(name)); }
  virtual std::string Peer() const = 0;
  // Of a client certificate that was verified: its common name; empty without one.
  virtual std::string CertificateName() const = 0;
  // Sends a header back with the answer, where there is still a way: of a stream, only what its first message adds is
  // sent. Does not change what came.
  virtual void Answer(absl::string_view /*name*/, absl::string_view /*value*/) const {}
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_CALL_INFO_H_
