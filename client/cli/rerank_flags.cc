#include "client/cli/rerank_flags.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

const std::map<std::string, v1::RerankOptions::Marginals>& MarginalNames() {
  static const auto* const names = new std::map<std::string, v1::RerankOptions::Marginals>{
      {"uniform", v1::RerankOptions::MARGINALS_UNIFORM},
      {"cross-correlation", v1::RerankOptions::MARGINALS_CROSS_CORRELATION},
      {"inverse", v1::RerankOptions::MARGINALS_INVERSE},
      {"minus", v1::RerankOptions::MARGINALS_MINUS},
      {"softmax", v1::RerankOptions::MARGINALS_SOFTMAX},
      {"importance", v1::RerankOptions::MARGINALS_IMPORTANCE}};
  return *names;
}

absl::Status NotOneOf(absl::string_view flag, absl::string_view value, absl::string_view advice) {
  return base::InvalidArgument("USAGE", absl::StrCat("--", flag, " is \"", Printable(value), "\". ", advice),
                               {{"argument", std::string(flag)}});
}

}  // namespace

std::vector<FlagSpec> TransportFlags() {
  return {
      {.name = "mass",
       .kind = FlagKind::kNumber,
       .value = "X",
       .help = "the share of the patches that must find a match, above 0 to 1; below 1, what hides or surrounds the "
               "object may stay unmatched"},
      {.name = "epsilon",
       .kind = FlagKind::kNumber,
       .value = "X",
       .help = "how far matches may blur, 0.001 to 10; less is sharper and slower"},
      {.name = "marginals",
       .value = "NAME",
       .help = "what patches weigh: uniform, cross-correlation, inverse, minus, softmax or importance",
       .choices = {"uniform", "cross-correlation", "inverse", "minus", "softmax", "importance"}},
      {.name = "temperature",
       .kind = FlagKind::kNumber,
       .value = "X",
       .help = "of the marginals inverse and softmax, 0.001 to 1000"},
      {.name = "weight",
       .kind = FlagKind::kNumber,
       .value = "X",
       .help = "of the structural score beside the cosine, 0 to 100"},
      {.name = "query_cells",
       .kind = FlagKind::kInt,
       .value = "N",
       .help = "match only the query's N weightiest patches; 0 is all"},
      {.name = "result_cells",
       .kind = FlagKind::kInt,
       .value = "N",
       .help = "match only N patches of each result; 0 is all"}};
}

std::vector<FlagSpec> RerankFlags() {
  std::vector<FlagSpec> flags = {
      {.name = "rerank",
       .value = "METHOD",
       .help = "ot: order the best results by their patches (optimal transport); off; else as the model has it",
       .choices = {"ot", "off"}},
      {.name = "shortlist",
       .kind = FlagKind::kInt,
       .value = "N",
       .help = "how many of the best are re-ranked, 1 to 1000; 100 when not given"}};
  for (FlagSpec& flag : TransportFlags()) flags.push_back(std::move(flag));
  return flags;
}

absl::StatusOr<v1::RerankOptions> RerankOf(const Args& args) {
  v1::RerankOptions options;
  const std::string method = args.Text("rerank");
  if (method == "ot") {
    options.set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
  } else if (method == "off") {
    options.set_method(v1::RerankOptions::METHOD_OFF);
    for (const FlagSpec& flag : RerankFlags()) {
      if (flag.name != "rerank" && args.Has(flag.name)) {
        return base::InvalidArgument(
            "USAGE", absl::StrCat("--", flag.name, " says how --rerank ot works, and --rerank is off. Leave one out."),
            {{"argument", flag.name}});
      }
    }
  } else if (args.Has("rerank")) {
    return NotOneOf("rerank", method, "It is ot or off.");
  }
  if (args.Has("marginals")) {
    // Dashes and underscores are alike here too, as in the names of flags.
    const auto marginals = MarginalNames().find(absl::StrReplaceAll(args.Text("marginals"), {{"_", "-"}}));
    if (marginals == MarginalNames().end()) {
      return NotOneOf("marginals", args.Text("marginals"),
                      "It is uniform, cross-correlation, inverse, minus, softmax or importance.");
    }
    options.set_marginals(marginals->second);
  }
  options.set_shortlist(args.Int32("shortlist", 0));
  if (args.Has("mass")) options.set_mass(args.Number("mass", 1));
  if (args.Has("epsilon")) options.set_epsilon(args.Number("epsilon", 0));
  if (args.Has("temperature")) options.set_temperature(args.Number("temperature", 1));
  if (args.Has("weight")) options.set_weight(args.Number("weight", 1));
  options.set_query_cells(args.Int32("query_cells", 0));
  options.set_result_cells(args.Int32("result_cells", 0));
  return options;
}

}  // namespace sightline::cli
