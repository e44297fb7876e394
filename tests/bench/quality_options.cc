#include "tests/bench/quality_options.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "model/train/flags.h"

namespace sightline::bench {
namespace {

using index::rerank::Marginals;

constexpr std::pair<const char*, Marginals> kMarginals[] = {
    {"uniform", Marginals::kUniform}, {"cross", Marginals::kCrossCorrelation}, {"inverse", Marginals::kInverse},
    {"minus", Marginals::kMinus},     {"softmax", Marginals::kSoftmax},        {"importance", Marginals::kImportance}};
constexpr int64_t kMostPairs = 1'000'000'000;
constexpr int64_t kMostShortlist = 10'000;

std::vector<std::string> Items(const std::string& text) { return absl::StrSplit(text, ',', absl::SkipEmpty()); }

absl::StatusOr<int64_t> Whole(const train::Flags& flags, const std::string& name, int64_t otherwise, int64_t most) {
  SIGHTLINE_ASSIGN_OR_RETURN(const int64_t value, flags.Integer(name, otherwise));
  if (value >= 1 && value <= most) return value;
  return base::InvalidArgument("FLAG_INVALID", absl::StrCat("--", name, " is ", value, ", not between 1 and ", most,
                                                            ". Give a number between them."));
}

absl::StatusOr<std::vector<TransportCase>> Transports(const std::string& marginals, const std::string& masses) {
  const auto* const named = std::find_if(std::begin(kMarginals), std::end(kMarginals),
                                         [&](const auto& one) { return one.first == marginals; });
  if (named == std::end(kMarginals)) {
    const auto name = [](std::string* out, const auto& one) { absl::StrAppend(out, one.first); };
    return base::InvalidArgument("FLAG_INVALID", absl::StrCat("--marginals is \"", marginals, "\". Give one of ",
                                                              absl::StrJoin(kMarginals, ", ", name), "."));
  }
  std::vector<TransportCase> cases;
  for (const std::string& text : Items(masses)) {
    TransportCase one;
    one.options.marginals = named->second;
    if (!absl::SimpleAtod(text, &one.options.mass)) {
      return base::InvalidArgument("FLAG_INVALID", absl::StrCat("\"", text,
                                                                "\" of --masses is not a number. Give shares "
                                                                "above 0 to 1, like 1,0.6."));
    }
    SIGHTLINE_RETURN_IF_ERROR(index::rerank::ValidateTransport(one.options));
    one.name = one.options.mass < index::rerank::kFullMass ? absl::StrCat("partial ", text, " ", marginals)
                                                           : absl::StrCat("full ", marginals);
    cases.push_back(std::move(one));
  }
  return cases;
}

}  // namespace

const char kQualityUsage[] =
    "\n"
    "quality has flags of its own:\n"
    "  --models DIR,...    further model folders than the zoo's dtop_tiny\n"
    "  --sets SET,...      grocery (in SIGHTLINE_SHARED_DATA), landmarks (made on the spot), or folders of\n"
    "                      `sightline-train landmarks` [grocery,landmarks]\n"
    "  --methods NAME,...  of models, seeds, hsv, pixels, orb, sift [all]\n"
    "  --masses M,...      transported when re-ranking; 1 is all [1,0.6,0.4]\n"
    "  --marginals NAME    uniform, cross, inverse, minus, softmax or importance [minus]\n"
    "  --shortlist N       how many results are re-ranked [100]\n"
    "  --pairs N           the most pairs of pictures that ORB and SIFT each compare on a set [150000]\n";

absl::StatusOr<QualityOptions> ParseQuality(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(const train::Flags flags, train::Flags::Parse(arguments, {{"quick", ""},
                                                                                       {"models", "DIR,..."},
                                                                                       {"sets", "SET,..."},
                                                                                       {"methods", "NAME,..."},
                                                                                       {"masses", "M,..."},
                                                                                       {"marginals", "NAME"},
                                                                                       {"shortlist", "N"},
                                                                                       {"pairs", "N"}}));
  if (!flags.positional().empty()) {
    return base::InvalidArgument("ARGUMENT_UNEXPECTED",
                                 absl::StrCat("argument \"", flags.positional()[0],
                                              "\" is not expected. Name folders with --models and --sets."));
  }
  QualityOptions options;
  options.quick = flags.Has("quick");
  options.models = Items(flags.Text("models", ""));
  if (flags.Has("sets")) options.sets = Items(flags.Text("sets", ""));
  const std::vector<std::string> known = options.methods;
  if (flags.Has("methods")) options.methods = Items(flags.Text("methods", ""));
  for (const std::string& method : options.methods) {
    if (std::find(known.begin(), known.end(), method) != known.end()) continue;
    return base::InvalidArgument("FLAG_INVALID", absl::StrCat("\"", method, "\" of --methods is not one of ",
                                                              absl::StrJoin(known, ", "), ". Give some of these."));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(options.pairs, Whole(flags, "pairs", options.pairs, kMostPairs));
  SIGHTLINE_ASSIGN_OR_RETURN(options.shortlist, Whole(flags, "shortlist", options.shortlist, kMostShortlist));
  SIGHTLINE_ASSIGN_OR_RETURN(options.transports,
                             Transports(flags.Text("marginals", "minus"), flags.Text("masses", "1,0.6,0.4")));
  return options;
}

}  // namespace sightline::bench
