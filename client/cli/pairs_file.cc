#include "client/cli/pairs_file.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr absl::string_view kHeader = "first_id,second_id,same";

// The fields of one line; false for a quote that is not closed, or text behind a closed one.
bool SplitLine(absl::string_view line, std::vector<std::string>* fields) {
  fields->assign(1, "");
  bool quoted = false;
  bool closed = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    std::string& field = fields->back();
    if (quoted && c == '"') {
      const bool escaped = i + 1 < line.size() && line[i + 1] == '"';
      if (escaped) {
        field.push_back('"');
        ++i;
      }
      quoted = escaped;
      closed = !escaped;
    } else if (quoted) {
      field.push_back(c);
    } else if (c == ',') {
      fields->emplace_back();
      closed = false;
    } else if (closed) {
      return false;
    } else if (c == '"' && field.empty()) {
      quoted = true;
    } else {
      field.push_back(c);
    }
  }
  return !quoted;
}

}  // namespace

absl::StatusOr<std::vector<v1::FitConfidenceRequest::Pair>> ParsePairs(const std::string& name,
                                                                       absl::string_view text) {
  int64_t number = 0;
  const auto wrong = [&](absl::string_view problem) {
    return base::InvalidArgument("INVALID_PAIRS", absl::StrCat(name, ", line ", number, ": ", problem),
                                 {{"file", name}, {"line", absl::StrCat(number)}});
  };
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");  // spreadsheets write it
  std::vector<v1::FitConfidenceRequest::Pair> pairs;
  std::vector<std::string> fields;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    const absl::string_view line = absl::StripSuffix(text.substr(0, end), "\r");
    text.remove_prefix(end == absl::string_view::npos ? text.size() : end + 1);
    if (line.empty() && number > 1) continue;
    if (!SplitLine(line, &fields)) {
      return wrong("a quote is not closed, or text follows a closed one. Write \"\" for a quote inside of quotes.");
    }
    if (number == 1) {
      if (absl::StrJoin(fields, ",") == kHeader) continue;
      return wrong(absl::StrCat("the header is \"", Printable(line.substr(0, 80)), "\". Write ", kHeader, "."));
    }
    if (fields.size() != 3) {
      return wrong(absl::StrCat("it has ", Plural(static_cast<int64_t>(fields.size()), "field"),
                                "; a pair has 3. Write first_id,second_id,same and quote ids that hold a comma."));
    }
    bool same = false;
    if (!absl::SimpleAtob(absl::StripAsciiWhitespace(fields[2]), &same)) {
      return wrong(absl::StrCat("same is \"", Printable(fields[2].substr(0, 80)), "\". Write true or false."));
    }
    if (fields[0].empty() || fields[1].empty()) return wrong("an id is empty. Name two images.");
    if (!IsUtf8(line)) return wrong("an id is not UTF-8. Save the file as UTF-8.");
    auto& pair = pairs.emplace_back();
    pair.set_first_id(fields[0]);
    pair.set_second_id(fields[1]);
    pair.set_same(same);
  }
  if (number == 0) {
    return base::InvalidArgument("INVALID_PAIRS",
                                 absl::StrCat(name, " is empty. Write ", kHeader, " and a line for each pair."),
                                 {{"file", name}});
  }
  return pairs;
}

}  // namespace sightline::cli
