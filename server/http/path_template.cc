#include "server/http/path_template.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "server/http/uri.h"

namespace sightline::server {
namespace {

absl::Status TemplateError(absl::string_view text) {
  return base::InvalidArgument(
      "PATH_TEMPLATE_INVALID",
      absl::StrCat("'", text, "' is no path this server understands. Correct the method's google.api.http option."),
      {{"actual", std::string(text)}});
}

}  // namespace

absl::StatusOr<PathTemplate> PathTemplate::Parse(absl::string_view text) {
  PathTemplate out;
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, "/")) return TemplateError(text);
  const size_t last_brace = rest.rfind('}');
  const size_t colon = rest.rfind(':');
  if (colon != absl::string_view::npos && (last_brace == absl::string_view::npos || colon > last_brace)) {
    out.verb_ = std::string(rest.substr(colon + 1));
    if (out.verb_.empty() || absl::StrContains(out.verb_, '/')) return TemplateError(text);
    rest = rest.substr(0, colon);
  }
  while (true) {
    int field = -1;
    absl::string_view pattern;
    if (absl::ConsumePrefix(&rest, "{")) {
      const size_t end = rest.find('}');
      if (end == absl::string_view::npos) return TemplateError(text);
      const std::vector<absl::string_view> halves = absl::StrSplit(rest.substr(0, end), absl::MaxSplits('=', 1));
      rest.remove_prefix(end + 1);
      field = static_cast<int>(out.fields_.size());
      out.fields_.emplace_back(halves[0]);
      pattern = halves.size() == 2 ? halves[1] : "*";
      if (halves[0].empty()) return TemplateError(text);
    } else {
      const size_t end = rest.find('/');
      pattern = rest.substr(0, end);
      rest.remove_prefix(pattern.size());
      if (pattern == "*") return TemplateError(text);
    }
    for (const absl::string_view segment : absl::StrSplit(pattern, '/')) {
      if (segment.empty() || segment == "**") return TemplateError(text);
      out.segments_.push_back({segment == "*" ? "" : std::string(segment), field});
    }
    if (rest.empty()) return out;
    if (!absl::ConsumePrefix(&rest, "/")) return TemplateError(text);
  }
}

absl::StatusOr<std::optional<PathTemplate::Values>> PathTemplate::Match(absl::string_view path) const {
  if (!absl::ConsumePrefix(&path, "/")) return std::nullopt;
  if (!verb_.empty() && (!absl::ConsumeSuffix(&path, verb_) || !absl::ConsumeSuffix(&path, ":"))) return std::nullopt;
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (parts.size() != segments_.size()) return std::nullopt;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty() || (!segments_[i].literal.empty() && parts[i] != segments_[i].literal)) return std::nullopt;
  }
  Values values;
  for (const std::string& field : fields_) values.emplace_back(field, "");
  for (size_t i = 0; i < parts.size(); ++i) {
    if (segments_[i].field < 0) continue;
    std::string& value = values[static_cast<size_t>(segments_[i].field)].second;
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string decoded, DecodePercent(parts[i]));
    absl::StrAppend(&value, value.empty() ? "" : "/", decoded);
  }
  return values;
}

}  // namespace sightline::server
