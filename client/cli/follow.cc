#include "client/cli/follow.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "client/cli/json.h"
#include "client/cli/text.h"
#include "client/cli/values.h"
#include "client/cpp/retry.h"

namespace sightline::cli {
namespace {

constexpr absl::Duration kFirstWait = absl::Milliseconds(50);
constexpr absl::Duration kLongestWait = absl::Seconds(1);
constexpr double kLineSeconds = 5;
// How long a server that restarts is awaited: it loads its models first.
constexpr absl::Duration kPatience = absl::Minutes(2);

void Sleep(const Context& context, absl::Duration wait) {
  if (context.sleep) return context.sleep(wait);
  std::this_thread::sleep_for(absl::ToChronoNanoseconds(wait));
}

// "optimize shop: running  12,345/100,000 12 %  ETA 3 min 20 s".
std::string FollowLine(const Context& context, const v1::Operation& operation) {
  std::string line = absl::StrCat(operation.kind(), " ", Printable(operation.collection()), ": ", StateText(operation));
  const std::string progress = ProgressText(operation);
  if (!progress.empty()) absl::StrAppend(&line, "  ", progress);
  if (operation.has_estimated_end_time()) {
    const absl::Duration left = absl::FromUnixSeconds(operation.estimated_end_time().seconds()) - context.clock.Now();
    absl::StrAppend(&line, "  ETA ", FormatSpan(std::max(left, absl::ZeroDuration())));
  }
  return line;
}

}  // namespace

bool HasEnded(const v1::Operation& operation) {
  return operation.state() != v1::Operation::STATE_PENDING && operation.state() != v1::Operation::STATE_RUNNING;
}

std::string StateText(const v1::Operation& operation) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Operation::State_Name(operation.state()), "STATE_"));
}

std::string ProgressText(const v1::Operation& operation) {
  if (operation.total() <= 0) return "";
  const double share = static_cast<double>(operation.done()) / static_cast<double>(operation.total());
  return absl::StrCat(FormatCount(operation.done()), "/", FormatCount(operation.total()), " ",
                      static_cast<int>(100 * share), " %");
}

absl::StatusOr<v1::Operation> Follow(Context& context, client::Client& client, v1::Operation operation) {
  const std::string name = operation.name();
  absl::Duration wait = kFirstWait;
  base::Clock::Ticks written = context.clock.Steady();
  absl::Duration away;
  while (!HasEnded(operation)) {
    Sleep(context, wait);
    wait = std::min(2 * wait, kLongestWait);
    absl::StatusOr<v1::Operation> now = client.GetOperation(name);
    if (!now.ok()) {
      // A server that restarts goes on with the operation, or says that it was interrupted.
      away += wait;
      if (!client::IsRetryable(now.status()) || away >= kPatience) return now.status();
      continue;
    }
    away = absl::ZeroDuration();
    operation = *std::move(now);
    if (context.err_is_terminal) {
      const std::string line = FollowLine(context, operation);
      context.err.Write(
          absl::StrCat("\r", line.substr(0, static_cast<size_t>(std::max(context.columns - 1, 0))), "\x1b[K"));
    } else if (base::MillisecondsBetween(written, context.clock.Steady()) > 1000 * kLineSeconds) {
      context.err.Write(absl::StrCat(FollowLine(context, operation), "\n"));
      written = context.clock.Steady();
    }
  }
  if (context.err_is_terminal && wait > kFirstWait) context.err.Write("\n");
  return operation;
}

absl::StatusOr<std::optional<v1::Operation>> FollowUnlessDetached(Context& context, const Args& args,
                                                                  client::Client& client,
                                                                  const v1::Operation& operation) {
  if (args.Switch("detach")) {
    context.out.Write(args.Switch("json") ? absl::StrCat(JsonMessage(operation), "\n")
                                          : absl::StrCat(Printable(operation.name()), "\n"));
    return std::optional<v1::Operation>();
  }
  context.err.Write(absl::StrCat(Printable(operation.name()), " started; it goes on when this program ends\n"));
  SIGHTLINE_ASSIGN_OR_RETURN(v1::Operation ended, Follow(context, client, operation));
  return std::optional<v1::Operation>(std::move(ended));
}

int ReportEnded(Context& context, const Args& args, const v1::Operation& operation) {
  const bool good = operation.state() == v1::Operation::STATE_SUCCEEDED;
  if (args.Switch("json")) {
    context.out.Write(absl::StrCat(JsonMessage(operation), "\n"));
  } else if (good) {
    const absl::Duration took = absl::Seconds(operation.end_time().seconds() - operation.create_time().seconds());
    context.out.Write(absl::StrCat(operation.name(), " succeeded in ", FormatSpan(took), "\n"));
  } else {
    context.err.Write(absl::StrCat("sightline: ", operation.name(), " ", StateText(operation),
                                   operation.has_error() ? ": " : ".", Printable(operation.error().message()), "\n"));
  }
  return good ? kOk : kError;
}

}  // namespace sightline::cli
