#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/version.h"
#include "client/cli/checkup.h"
#include "client/cli/json.h"
#include "client/cli/plan.h"
#include "client/cli/text.h"
#include "client/cli/verbs/verbs.h"

namespace sightline::cli {
namespace {

int RunPlan(Context& context, const Args& args) {
  const auto images = ParseImageCount(args.Text("plan"));
  if (!images.ok()) return Fail(context, args, images.status());
  const PlanInput input{.images = *images,
                        .descriptor_dim = args.Int("descriptor_dim", 1536),
                        .token_cells = args.Int("token_cells", 196),
                        .token_dim = args.Int("token_dim", 128)};
  if (input.descriptor_dim < 1 || input.token_cells < 0 || input.token_dim < 0) {
    return Misused(context, "doctor",
                   "--descriptor_dim must be above 0, and --token_cells and --token_dim at least 0.");
  }
  context.out.Write(args.Switch("json") ? absl::StrCat(PlanJson(input), "\n") : RenderPlan(input));
  return kOk;
}

std::vector<Check> Examine(client::Client& client) {
  const std::string& address = client.options().address;
  const auto info = client.GetServerInfo();
  if (!info.ok()) {
    return {{"server", Verdict::kFail, std::string(info.status().message()),
             "The address comes from --address, else SIGHTLINE_ADDRESS, else 127.0.0.1:50051."}};
  }
  std::vector<Check> checks = {{"server", Verdict::kOk, absl::StrCat("answers at ", address)}};
  checks.push_back(CheckServing(client.CheckHealth()));
  for (Check& check : CheckServer(*info, base::Version())) checks.push_back(std::move(check));
  for (Check& check : CheckCollections(client.ListAllCollections())) checks.push_back(std::move(check));
  return checks;
}

std::string Render(const std::vector<Check>& checks) {
  size_t width = 0;
  for (const Check& check : checks) width = std::max(width, CharacterCount(check.name));
  std::string out;
  for (const Check& check : checks) {
    absl::StrAppendFormat(&out, "%-4s  %-*s  %s\n", VerdictName(check.verdict), static_cast<int>(width), check.name,
                          Printable(check.found));
    if (!check.next_step.empty())
      absl::StrAppendFormat(&out, "      %*s  -> %s\n", static_cast<int>(width), "", check.next_step);
  }
  return out;
}

std::string RenderJson(const std::vector<Check>& checks) {
  std::string out;
  for (const Check& check : checks) {
    absl::StrAppend(&out,
                    JsonObject()
                        .Text("check", check.name)
                        .Text("verdict", VerdictName(check.verdict))
                        .Text("found", check.found)
                        .Text("next_step", check.next_step)
                        .Done(),
                    "\n");
  }
  return out;
}

int RunDoctor(Context& context, const Args& args) {
  if (!args.operands().empty()) return Misused(context, "doctor", "doctor takes no operands.");
  if (args.Has("plan")) return RunPlan(context, args);
  const auto client = Connect(context, args);
  if (!client.ok()) return Fail(context, args, client.status());
  const std::vector<Check> checks = Examine(**client);
  context.out.Write(args.Switch("json") ? RenderJson(checks) : Render(checks));
  const bool failed =
      std::any_of(checks.begin(), checks.end(), [](const Check& check) { return check.verdict == Verdict::kFail; });
  return failed ? kError : kOk;
}

}  // namespace

Command DoctorCommand() {
  return {.name = "doctor",
          .summary = "check the server, or plan its size",
          .operands = "",
          .about =
              "Checks what a client can see: is the server there and serving, do the versions match, which vector\n"
              "instructions and BLAS it uses, are its models trained, which limits hold, is a collection read-only.\n"
              "Each check is ok, warn or fail, with a next step. Exit code 1 when one fails.\n\n"
              "  sightline doctor\n"
              "  sightline doctor --plan 100M                       memory and disk of 100 million images\n"
              "  sightline doctor --plan 2M --descriptor_dim 768 --token_cells 49\n",
          .flags = {{.name = "plan",
                     .value = "N[k|M|G]",
                     .help = "print the memory and disk that N images take; asks no server"},
                    {.name = "descriptor_dim",
                     .kind = FlagKind::kInt,
                     .value = "N",
                     .help = "plan: values of one descriptor; 1536 when not given"},
                    {.name = "token_cells",
                     .kind = FlagKind::kInt,
                     .value = "N",
                     .help = "plan: tokens of one image; 196 when not given, 0 for none"},
                    {.name = "token_dim",
                     .kind = FlagKind::kInt,
                     .value = "N",
                     .help = "plan: values of one token; 128 when not given"}},
          .run = RunDoctor};
}

}  // namespace sightline::cli
