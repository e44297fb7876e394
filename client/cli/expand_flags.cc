#include "client/cli/expand_flags.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cli/text.h"

namespace sightline::cli {

std::vector<FlagSpec> ExpandFlags() {
  return {{.name = "expand",
           .value = "METHOD",
           .help = "refine by descriptors: average, alpha, super-global or k-reciprocal",
           .choices = {"average", "alpha", "super-global", "k-reciprocal"}},
          {.name = "neighbours",
           .kind = FlagKind::kInt,
           .value = "N",
           .help = "with --expand, results it uses; else the method's default"},
          {.name = "alpha",
           .kind = FlagKind::kNumber,
           .value = "X",
           .help = "with --expand alpha, the exponent of the cosines; 3 when not given"}};
}

absl::StatusOr<std::optional<v1::QueryExpansion>> ExpansionOf(const Args& args) {
  static const auto* const methods =
      new std::map<std::string, v1::QueryExpansion::Method>{{"average", v1::QueryExpansion::METHOD_AVERAGE},
                                                            {"alpha", v1::QueryExpansion::METHOD_ALPHA_WEIGHTED},
                                                            {"super-global", v1::QueryExpansion::METHOD_SUPER_GLOBAL},
                                                            {"k-reciprocal", v1::QueryExpansion::METHOD_K_RECIPROCAL}};
  if (!args.Has("expand")) {
    if (!args.Has("neighbours") && !args.Has("alpha")) return std::nullopt;
    return base::InvalidArgument("USAGE", "--neighbours and --alpha say how --expand works. Add --expand METHOD.",
                                 {{"argument", "expand"}});
  }
  const auto method = methods->find(args.Text("expand"));
  if (method == methods->end()) {
    return base::InvalidArgument("USAGE",
                                 absl::StrCat("--expand is \"", Printable(args.Text("expand")),
                                              "\". It is average, alpha, super-global or k-reciprocal."),
                                 {{"argument", "expand"}});
  }
  v1::QueryExpansion expansion;
  expansion.set_method(method->second);
  if (args.Has("neighbours")) expansion.set_neighbours(args.Int32("neighbours", 0));
  if (args.Has("alpha")) expansion.set_alpha(args.Number("alpha", 3));
  return expansion;
}

}  // namespace sightline::cli
