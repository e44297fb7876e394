#include "absl/strings/str_cat.h"
#include "client/cli/json.h"
#include "client/cli/readiness.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

constexpr char kDefaultAddress[] = "127.0.0.1:8080";

int RunReady(Context& context, const Args& args) {
  if (args.operands().size() > 1) return Misused(context, "ready", "ready takes one address.");
  const std::string address = args.operands().empty() ? kDefaultAddress : args.operands()[0];
  const absl::Status ready = AskReady(address, args.Span("timeout", absl::Seconds(10)));
  if (!ready.ok()) return Fail(context, args, ready);
  context.out.Write(args.Switch("json") ? absl::StrCat(JsonObject().Text("ready", address).Done(), "\n")
                                        : absl::StrCat("the server at ", Printable(address), " is ready\n"));
  return kOk;
}

}  // namespace

Command ReadyCommand() {
  return {.name = "ready",
          .summary = "ask whether the server takes requests, for health checks",
          .operands = "[HOST:PORT]",
          .about =
              "Asks /readyz of the server's HTTP address, 127.0.0.1:8080 when none is given. It needs neither key\n"
              "nor certificate. Exit code 0 when the server is ready, else 1.\n\n"
              "  sightline ready\n"
              "  sightline ready --timeout 2 10.0.0.7:8080\n",
          .flags = {},
          .run = RunReady};
}

}  // namespace sightline::cli
