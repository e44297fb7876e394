#include "client/cli/checkup.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

Check CheckVersion(const std::string& server, const std::string& client) {
  if (server == client) return {"version", Verdict::kOk, absl::StrCat("server and client are ", client)};
  return {"version", Verdict::kWarn, absl::StrCat("server ", server, ", client ", client),
          "Install the same version on both sides; other pairs are not tested together."};
}

Check CheckSimd(const std::string& level) {
  if (level == "scalar" || level.empty()) {
    return {"simd", Verdict::kWarn, level.empty() ? "not reported" : level,
            "Searches run many times slower without vector instructions; use a CPU with AVX2, AVX-512 or NEON."};
  }
  return {"simd", Verdict::kOk, level};
}

Check CheckBlas(const v1::GetServerInfoResponse& info) {
  if (info.blas().empty()) return {"blas", Verdict::kOk, "none in use: no model runs on this server"};
  const std::string lower = absl::AsciiStrToLower(info.blas());
  if (absl::StrContains(lower, "reference") || absl::StrContains(lower, "slow")) {
    return {
        "blas", Verdict::kWarn, info.blas(),
        "Models run up to 100 times slower; install libopenblas-openmp-dev and select it with update-alternatives."};
  }
  if (absl::StrContains(lower, "pthread")) {
    return {"blas", Verdict::kWarn, info.blas(),
            "Its threads multiply with OpenMP's; select the OpenMP variant with update-alternatives."};
  }
  return {"blas", Verdict::kOk, info.blas()};
}

std::vector<Check> CheckModels(const v1::GetServerInfoResponse& info) {
  if (info.models().empty()) {
    return {{"models", Verdict::kWarn, "none loaded: only descriptors can be indexed and searched",
             "Start the server with --models NAME to index images."}};
  }
  std::vector<Check> checks;
  for (const auto& model : info.models()) {
    const std::string name = absl::StrCat("model ", model.name());
    if (model.state() == v1::Model::STATE_FAILED) {
      checks.push_back({name, Verdict::kFail, model.error(), "Repair its folder and load it again."});
    } else if (model.untrained()) {
      checks.push_back({name, Verdict::kWarn,
                        "UNTRAINED: its results show that the service works, not how well it finds",
                        "Put trained weights (weights.safetensors) into its folder and load it again."});
    } else {
      checks.push_back({name, Verdict::kOk,
                        absl::StrCat(model.architecture(), ", ", FormatCount(model.descriptor_dim()), " values, ",
                                     model.numeric())});
    }
  }
  return checks;
}

Check CheckLimits(const v1::Limits& limits) {
  const std::string found = absl::StrCat("messages ", FormatBytes(limits.max_message_bytes()), ", images ",
                                         FormatBytes(limits.max_image_bytes()), ", ",
                                         FormatCount(limits.max_in_flight()), " requests in hand");
  // Explain carries two images and their envelope.
  if (limits.max_message_bytes() < 2 * limits.max_image_bytes()) {
    return {
        "limits", Verdict::kWarn, found,
        "Two images of the largest size do not fit one message; raise --max_message_bytes or lower --max_image_bytes."};
  }
  return {"limits", Verdict::kOk, found};
}

}  // namespace

std::vector<Check> CheckServer(const v1::GetServerInfoResponse& info, const std::string& version) {
  std::vector<Check> checks = {CheckVersion(info.version(), version), CheckSimd(info.simd_level()), CheckBlas(info)};
  for (Check& check : CheckModels(info)) checks.push_back(std::move(check));
  checks.push_back(CheckLimits(info.limits()));
  for (const auto& warning : info.warnings()) {
    checks.push_back({"server warning", Verdict::kWarn, warning, "See docs/troubleshooting.md."});
  }
  return checks;
}

Check CheckServing(const absl::StatusOr<client::Health>& health) {
  if (!health.ok()) {
    return {"serving", Verdict::kWarn, std::string(health.status().message()),
            "Check that the address is the gRPC port."};
  }
  if (*health == client::Health::kServing) return {"serving", Verdict::kOk, "the health service says SERVING"};
  return {"serving", Verdict::kFail, "the health service says NOT_SERVING",
          "The server is starting or draining; wait, or look into its log."};
}

std::vector<Check> CheckCollections(const absl::StatusOr<std::vector<v1::Collection>>& collections) {
  if (!collections.ok()) {
    return {
        {"collections", Verdict::kFail, std::string(collections.status().message()), "Look into the server's log."}};
  }
  int64_t images = 0;
  std::vector<Check> checks = {{"collections", Verdict::kOk, ""}};
  for (const auto& collection : *collections) {
    images += collection.stats().images();
    if (!collection.read_only()) continue;
    checks.push_back({absl::StrCat("collection ", collection.name()), Verdict::kWarn,
                      absl::StrCat("read-only: ", collection.read_only_reason()), "Remove the cause; searches go on."});
  }
  checks[0].found =
      absl::StrCat(Plural(static_cast<int64_t>(collections->size()), "collection"), ", ", Plural(images, "image"));
  return checks;
}

std::string VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk: return "ok";
    case Verdict::kWarn: return "warn";
    case Verdict::kFail: return "fail";
  }
  return "";
}

}  // namespace sightline::cli
