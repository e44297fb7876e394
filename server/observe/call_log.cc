#include "server/observe/call_log.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "model/image/sandbox/sandboxed_decoder.h"
#include "server/code_names.h"
#include "server/observe/trace_context.h"

namespace sightline::server {
namespace {

constexpr char kRequestIdHeader[] = "x-request-id";
constexpr char kTraceHeader[] = "traceparent";
constexpr char kTraceStateHeader[] = "tracestate";
constexpr int kIdDigits = 16;

// What callers wrote is shown as far as it helps: a message may name a collection of megabytes.
constexpr size_t kLoggedName = 128;
constexpr size_t kShownMessage = 1000;

std::string Shortened(absl::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  return absl::StrCat(text.substr(0, most), "...");
}

// Bulk work waits behind interactive work, for seconds and by design: of a message of this stream only the work counts,
// or every bulk load would push what is really slow out of the log and off the status page.
constexpr char kBulkMethod[] = "IndexService/IndexStream";
constexpr std::array<absl::string_view, 3> kWaits = {"decode_queue", "queue", "search_queue"};

double SlownessOf(const Request& request, double milliseconds) {
  if (request.call().method != kBulkMethod) return milliseconds;
  const std::vector<Stage> stages = request.stages();
  for (const absl::string_view wait : kWaits) {
    // Several images of one request wait at the same time.
    double longest = 0;
    for (const Stage& stage : stages) {
      if (stage.name == wait) longest = std::max(longest, stage.milliseconds);
    }
    milliseconds -= longest;
  }
  return milliseconds;
}

bool BrokeADecoder(absl::string_view reason) {
  return reason == image::kImageCrashedDecoder || reason == image::kImageTookTooLong;
}

bool IsOwnFailure(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

base::LogFields FieldsOf(const CallInfo& call, const absl::Status& status, double milliseconds) {
  base::LogFields fields = {{"method", call.method}};
  const auto add = [&fields](const char* name, std::string value) {
    if (!value.empty()) fields.emplace_back(name, std::move(value));
  };
  add("collection", Shortened(call.collection, kLoggedName));
  add("request_id", call.request_id);
  add("trace_id", call.trace_id);
  add("parent_span", call.parent_span);
  add("span", call.span);
  add("peer", call.peer);
  add("caller", call.caller);
  add("code", CodeName(status.code()));
  if (!status.ok()) add("reason", base::GetErrorInfo(status).reason);
  add("ms", absl::StrFormat("%.1f", milliseconds));
  return fields;
}

void AddStages(const std::vector<Stage>& stages, base::LogFields* fields) {
  for (const Stage& stage : AddUp(stages)) {
    fields->emplace_back(absl::StrCat(stage.name, "_ms"), absl::StrFormat("%.1f", stage.milliseconds));
    if (stage.batch_size > 0) fields->emplace_back(absl::StrCat(stage.name, "_batch"), absl::StrCat(stage.batch_size));
  }
}

std::vector<Incident> NewestFirst(const std::deque<Incident>& ring) { return {ring.rbegin(), ring.rend()}; }

}  // namespace

std::vector<Stage> AddUp(const std::vector<Stage>& stages) {
  std::vector<Stage> sums;
  for (const Stage& stage : stages) {
    const auto same = std::find_if(sums.begin(), sums.end(), [&](const Stage& sum) {
      return absl::string_view(sum.name) == absl::string_view(stage.name);
    });
    if (same == sums.end()) {
      sums.push_back(stage);
    } else {
      same->milliseconds += stage.milliseconds;
      same->batch_size = std::max(same->batch_size, stage.batch_size);
    }
  }
  return sums;
}

CallLog::CallLog(const Options& options, const base::Clock& clock, Metrics& metrics, Write write)
    : options_(options),
      clock_(clock),
      metrics_(metrics),
      write_(std::move(write)),
      slow_lines_(clock, options.lines_per_second),
      failure_lines_(clock, options.lines_per_second) {}

absl::Status CallLog::Arrived(const CallMetadata& metadata, CallInfo* call) {
  if (call->peer.empty()) call->peer = metadata.Peer();
  const absl::string_view wanted_id = metadata.Header(kRequestIdHeader);
  if (IsSaneRequestId(wanted_id)) {
    call->request_id = std::string(wanted_id);
  } else {
    if (!wanted_id.empty()) metrics_.CountIgnoredHeader(kRequestIdHeader);
    call->request_id = MakeId(kIdDigits);
  }
  metadata.Answer(kRequestIdHeader, call->request_id);
  const std::string wanted_trace = metadata.Joined(kTraceHeader);  // two of them are none
  if (wanted_trace.empty()) return absl::OkStatus();
  const std::optional<TraceParent> parent = ParseTraceParent(wanted_trace);
  if (!parent.has_value()) {
    metrics_.CountIgnoredHeader(kTraceHeader);
    return absl::OkStatus();
  }
  call->trace_id = parent->trace_id;
  call->parent_span = parent->span;
  call->span = MakeId(kIdDigits);
  metadata.Answer(kTraceHeader, FormatTraceParent({parent->trace_id, call->span, parent->flags}));
  const std::string state = metadata.Joined(kTraceStateHeader);
  if (IsSaneTraceState(state)) {
    metadata.Answer(kTraceStateHeader, state);
  } else if (!state.empty()) {
    metrics_.CountIgnoredHeader(kTraceStateHeader);
  }
  return absl::OkStatus();
}

void CallLog::Ended(const Request& request, const absl::Status& status) {
  const double milliseconds = request.ElapsedMilliseconds();
  const bool own_failure = IsOwnFailure(status.code());
  const bool slow = options_.slow_request > absl::ZeroDuration() &&
                    SlownessOf(request, milliseconds) >= absl::ToDoubleMilliseconds(options_.slow_request);
  if (own_failure) Remember(&failures_, request, status, milliseconds);
  if (own_failure || (!status.ok() && BrokeADecoder(base::GetErrorInfo(status).reason))) {
    if (failure_lines_.Take()) {
      base::LogFields fields = FieldsOf(request.call(), status, milliseconds);
      fields.emplace_back("error", Shortened(status.message(), kShownMessage));
      write_(own_failure ? base::Severity::kError : base::Severity::kWarning,
             own_failure ? "request failed" : "image broke its decoder", fields);
    } else {
      metrics_.CountDroppedLine("failure");
    }
  }
  if (slow) {
    metrics_.CountSlowRequest();
    Remember(&slow_, request, status, milliseconds);
    if (slow_lines_.Take()) {
      base::LogFields fields = FieldsOf(request.call(), status, milliseconds);
      AddStages(request.stages(), &fields);
      write_(base::Severity::kWarning, "slow request", fields);
    } else {
      metrics_.CountDroppedLine("slow");
    }
  }
  if (base::LogEnabled(base::Severity::kDebug)) {
    base::LogFields fields = FieldsOf(request.call(), status, milliseconds);
    AddStages(request.stages(), &fields);
    write_(base::Severity::kDebug, "request", fields);
  }
}

void CallLog::Remember(std::deque<Incident>* ring, const Request& request, const absl::Status& status,
                       double milliseconds) {
  Incident incident = {.time = clock_.Now(),
                       .call = request.call(),
                       .code = status.code(),
                       .reason = status.ok() ? "" : base::GetErrorInfo(status).reason,
                       .message = Shortened(status.message(), kShownMessage),
                       .milliseconds = milliseconds,
                       .stages = AddUp(request.stages())};
  incident.call.collection = Shortened(incident.call.collection, kLoggedName);
  base::MutexLock lock(mutex_);
  ring->push_back(std::move(incident));
  if (ring->size() > options_.kept) ring->pop_front();
}

std::vector<Incident> CallLog::last_slow() const {
  base::MutexLock lock(mutex_);
  return NewestFirst(slow_);
}

std::vector<Incident> CallLog::last_failures() const {
  base::MutexLock lock(mutex_);
  return NewestFirst(failures_);
}

}  // namespace sightline::server
