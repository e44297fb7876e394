#include "model/weights/name_map.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "model/weights/name_pattern.h"
#include "model/weights/name_tables.h"

namespace sightline::weights {
namespace {

// "module." and "model." and "backbone." in front of each other.
constexpr int kMostPrefixes = 3;
// Any number of prefixes can be made up; the usual file has one or none.
constexpr size_t kMostCombinations = 32;

using ModelTensors = std::map<absl::string_view, const TensorShape*>;

std::vector<NameRule> RulesFor(const NameFamily& family, absl::string_view head, std::vector<std::string>& texts) {
  std::vector<NameRule> rules;
  texts.reserve(family.rules.size());
  for (const NameRule& rule : family.rules) {
    texts.push_back(absl::StrReplaceAll(rule.to, {{"@", head}}));
    rules.push_back({rule.from, texts.back()});
  }
  rules.push_back({"whitening.*", "whitening.*"});  // of any family: it is this project's last step
  return rules;
}

absl::string_view WithoutPrefix(absl::string_view name, absl::string_view prefix) {
  return absl::StripPrefix(name, prefix);
}

// The tensor of the model that a name stands for.
const TensorShape* Target(absl::string_view name, const std::vector<NameRule>& rules, const ModelTensors& model) {
  for (const NameRule& rule : rules) {
    const std::optional<std::string> renamed = Rename(name, rule.from, rule.to);
    if (!renamed) continue;
    if (const auto found = model.find(*renamed); found != model.end()) return found->second;
  }
  return nullptr;
}

bool Fits(const TensorView& tensor, const TensorShape& target) { return SameButForOnes(tensor.shape, target.shape); }

// Prefixes that at least one name has, and every one in front of what is left.
void CollectPrefixes(absl::Span<const TensorView> file, const std::string& prefix, int left,
                     std::vector<std::string>& prefixes) {
  if (prefixes.size() >= kMostCombinations) return;
  prefixes.push_back(prefix);
  if (left == 0) return;
  for (const absl::string_view wrapper : WrapperPrefixes()) {
    const std::string longer = absl::StrCat(prefix, wrapper);
    const bool there = std::any_of(file.begin(), file.end(),
                                   [&](const TensorView& tensor) { return absl::StartsWith(tensor.name, longer); });
    if (there) CollectPrefixes(file, longer, left - 1, prefixes);
  }
}

struct Choice {
  const NameFamily* family = nullptr;
  std::string prefix;
};

// The family and prefix under which the most tensors of the model are found in their shape.
Choice Choose(absl::Span<const TensorView> file, const ModelTensors& model, absl::string_view head) {
  std::vector<std::string> prefixes;
  CollectPrefixes(file, "", kMostPrefixes, prefixes);
  Choice best{&NameFamilies().front(), ""};
  size_t most = 0;
  for (const NameFamily& family : NameFamilies()) {
    std::vector<std::string> texts;
    const std::vector<NameRule> rules = RulesFor(family, head, texts);
    for (const std::string& prefix : prefixes) {
      std::set<const TensorShape*> found;
      for (const TensorView& tensor : file) {
        const TensorShape* const target = Target(WithoutPrefix(tensor.name, prefix), rules, model);
        if (target != nullptr && Fits(tensor, *target)) found.insert(target);
      }
      if (found.size() <= most) continue;
      most = found.size();
      best = {&family, prefix};
    }
  }
  return best;
}

std::optional<absl::string_view> ReasonToIgnore(absl::string_view name) {
  for (const IgnoredName& ignored : IgnoredNames()) {
    if (Rename(name, ignored.pattern, "")) return ignored.reason;
  }
  return std::nullopt;
}

}  // namespace

bool SameButForOnes(absl::Span<const int64_t> a, absl::Span<const int64_t> b) {
  std::vector<int64_t> sides[2];
  std::copy_if(a.begin(), a.end(), std::back_inserter(sides[0]), [](int64_t side) { return side != 1; });
  std::copy_if(b.begin(), b.end(), std::back_inserter(sides[1]), [](int64_t side) { return side != 1; });
  return sides[0] == sides[1];
}

NameMapping MapNames(absl::Span<const TensorView> file, absl::Span<const TensorShape> model, absl::string_view head) {
  ModelTensors wanted;
  for (const TensorShape& tensor : model) wanted[tensor.name] = &tensor;
  const Choice choice = Choose(file, wanted, head);
  std::vector<std::string> texts;
  const std::vector<NameRule> rules = RulesFor(*choice.family, head, texts);

  NameMapping mapping{
      .family = std::string(choice.family->name), .prefix = choice.prefix, .tensors = {}, .findings = {}};
  std::set<const TensorShape*> found;
  for (size_t i = 0; i < file.size(); ++i) {
    const TensorView& tensor = file[i];
    const absl::string_view name = WithoutPrefix(tensor.name, choice.prefix);
    const TensorShape* const target = Target(name, rules, wanted);
    if (target != nullptr && Fits(tensor, *target) && found.insert(target).second) {
      mapping.tensors.push_back({i, target->name});
      continue;
    }
    if (const std::optional<absl::string_view> reason = ReasonToIgnore(name)) {
      mapping.findings.push_back({Finding::kIgnored, tensor.name, tensor.shape, {}, "", std::string(*reason)});
    } else if (target != nullptr && found.insert(target).second) {
      mapping.findings.push_back({Finding::kMisshaped, tensor.name, tensor.shape, target->shape, target->name, ""});
    } else {
      mapping.findings.push_back({Finding::kUnexpected, tensor.name, tensor.shape, {}, "", ""});
    }
  }
  for (const TensorShape& tensor : model) {
    if (found.contains(&tensor)) continue;
    mapping.findings.push_back({Finding::kMissing, tensor.name, {}, tensor.shape, tensor.name, ""});
  }
  return mapping;
}

}  // namespace sightline::weights
