#include "model/weights/strict_json.h"

#include <exception>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"

namespace sightline::weights {
namespace {

using nlohmann::json;

// Runs inside nlohmann's parser, whose only way out of a callback is an exception; caught in ParseStrictJson.
class StructureCheck {
 public:
  explicit StructureCheck(int max_depth) : max_depth_(max_depth) {}

  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (depth >= max_depth_) throw std::runtime_error(absl::StrCat("is nested deeper than ", max_depth_, " levels"));
    }
    if (event == json::parse_event_t::object_start) {
      keys_.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys_.pop_back();
    } else if (event == json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second)
        throw std::runtime_error(absl::StrCat("holds the key ", Quoted(key), " twice"));
    }
    return true;
  }

 private:
  const int max_depth_;
  std::vector<std::set<std::string>> keys_;
};

absl::Status Malformed(absl::string_view what, absl::string_view problem) {
  return base::InvalidArgument("MALFORMED_JSON",
                               absl::StrCat(what, " ", problem, ". Correct the file or fetch it again."));
}

}  // namespace

std::string Quoted(absl::string_view text) {
  constexpr size_t kLongest = 120;
  return text.size() <= kLongest ? base::JsonQuote(text)
                                 : absl::StrCat(base::JsonQuote(text.substr(0, kLongest)), "...");
}

absl::StatusOr<json> ParseStrictJson(absl::string_view text, absl::string_view what, const JsonLimits& limits) {
  if (static_cast<int64_t>(text.size()) > limits.max_bytes) {
    return Malformed(what, absl::StrCat("has ", text.size(), " bytes of JSON; the limit is ", limits.max_bytes));
  }
  try {
    StructureCheck check(limits.max_depth);
    const json::parser_callback_t callback = [&check](int depth, json::parse_event_t event, json& parsed) {
      return check(depth, event, parsed);
    };
    return json::parse(text.begin(), text.end(), callback);
  } catch (const json::parse_error& error) {
    return Malformed(what, absl::StrCat("is not valid JSON at byte ", error.byte));
  } catch (const std::exception& error) {
    return Malformed(what, error.what());
  }
}

}  // namespace sightline::weights
