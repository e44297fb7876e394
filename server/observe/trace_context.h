// Who asked, across processes: request ids, and the W3C trace context of a call, `traceparent` and `tracestate`
// (https://www.w3.org/TR/trace-context/).
//
// Threading: pure functions, and MakeId, which has a generator for each thread. Failure: what is not sane is nullopt or
// false; it is never repaired, since half an id leads a reader to the wrong trace.
//
//   const std::optional<TraceParent> parent = ParseTraceParent("00-4bf9...4736-00f0...02b7-01");
#ifndef SIGHTLINE_SERVER_OBSERVE_TRACE_CONTEXT_H_
#define SIGHTLINE_SERVER_OBSERVE_TRACE_CONTEXT_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace sightline::server {

struct TraceParent {
  std::string trace_id;  // 32 lower-case hexadecimal digits, not all zero
  std::string span;      // 16 of them, not all zero
  std::string flags;     // 2 of them, without the bits that the specification does not define
};

// Version 00 exactly; of later versions the fields that they share with it. Version ff is none.
std::optional<TraceParent> ParseTraceParent(absl::string_view text);

// "00-TRACE-SPAN-FLAGS", as version 00 writes it.
std::string FormatTraceParent(const TraceParent& parent);

// Whether a `tracestate` may be handed on as it is: 1 to 512 printable characters of ASCII, at most 32 members. What
// the members say is the business of those who wrote them.
bool IsSaneTraceState(absl::string_view text);

// Whether a caller's own request id is fit to be written down and answered: 1 to 128 letters, digits and ._:/+=@-.
bool IsSaneRequestId(absl::string_view id);

// `digits` random hexadecimal digits, a multiple of 16 and not all zero. Not secret: ids tell calls apart, they protect
// nothing.
std::string MakeId(int digits);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_OBSERVE_TRACE_CONTEXT_H_
