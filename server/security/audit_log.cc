#include "server/security/audit_log.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/log.h"
#include "base/status.h"
#include "server/code_names.h"

namespace sightline::server {
namespace {

// Of what a caller chooses: a line must not be as long as a message.
constexpr size_t kMaxText = 256;

std::string AuditTime(absl::Time time) {
  return base::JsonQuote(absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", time, absl::UTCTimeZone()));
}

std::string AuditText(absl::string_view text) { return base::JsonQuote(text.substr(0, kMaxText)); }

bool IsRefusal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnauthenticated || status.code() == absl::StatusCode::kPermissionDenied;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(const std::string& path, Metrics& metrics,
                                                         const base::Clock& clock) {
  SIGHTLINE_ASSIGN_OR_RETURN(
      std::unique_ptr<LineWriter> writer,
      LineWriter::Open(
          {.path = path,
           .on_loss =
               [&clock](int64_t lost) {
                 return absl::StrCat("{\"time\":", AuditTime(clock.Now()), ",\"lines_lost\":", lost, "}");
               },
           .count = [&metrics](int64_t written, int64_t dropped) { metrics.CountAuditLines(written, dropped); }}));
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(writer), clock));
}

absl::Status AuditLog::Arrived(const CallMetadata&, CallInfo*) { return absl::OkStatus(); }

void AuditLog::Ended(const Request& request, const absl::Status& status) {
  const CallInfo& call = request.call();
  const bool refused = IsRefusal(status);
  if (call.access < Access::kWrite && !refused) return;
  std::string line = absl::StrCat(
      "{\"time\":", AuditTime(clock_.Now()), ",\"caller\":", AuditText(call.caller), ",\"peer\":", AuditText(call.peer),
      ",\"method\":", AuditText(call.method), ",\"collection\":", AuditText(call.collection),
      ",\"request_id\":", AuditText(call.request_id), ",\"code\":\"", CodeName(status.code()), "\"");
  if (!status.ok()) absl::StrAppend(&line, ",\"reason\":", AuditText(base::GetErrorInfo(status).reason));
  if (const std::optional<int64_t> items = request.items()) absl::StrAppend(&line, ",\"items\":", *items);
  absl::StrAppendFormat(&line, ",\"milliseconds\":%.1f}", request.ElapsedMilliseconds());
  writer_->Write(line);
}

}  // namespace sightline::server
