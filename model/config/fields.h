// Fields: reads the members of one JSON object strictly. The first problem sticks: later reads return their fallback,
// and Finish reports it, or a member that nobody read.
//
// Threading: one thread at a time. Ownership: views the JSON it is given. Failure: Finish returns INVALID_ARGUMENT with
// reason INVALID_MODEL_CONFIG (INVALID_CONFIG for another file than model.json), the path of
// the member and what it must be.
//
//   Fields fields(json, "backbone");
//   config.dim = fields.Int("dim", 8, 4096);
//   SIGHTLINE_RETURN_IF_ERROR(fields.Finish());
#ifndef SIGHTLINE_MODEL_CONFIG_FIELDS_H_
#define SIGHTLINE_MODEL_CONFIG_FIELDS_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sightline::model {

class Fields {
 public:
  // `path` names the object in errors, empty for the whole file; `file` is what the file is called there.
  Fields(const nlohmann::json& object, absl::string_view path, absl::string_view file = "model.json");

  // Members without a fallback are required. Bounds are inclusive.
  int64_t Int(absl::string_view key, int64_t least, int64_t most, std::optional<int64_t> fallback = std::nullopt);
  double Number(absl::string_view key, double least, double most, std::optional<double> fallback = std::nullopt);
  bool Bool(absl::string_view key, std::optional<bool> fallback = std::nullopt);
  std::string Text(absl::string_view key, size_t max_bytes, std::optional<std::string> fallback = std::nullopt);
  // The index of the member's value in `choices`.
  int OneOf(absl::string_view key, absl::Span<const absl::string_view> choices,
            std::optional<int> fallback = std::nullopt);
  // Whole numbers; `fallback` where the member is absent.
  std::vector<int> Ints(absl::string_view key, size_t min_count, size_t max_count, int least, int most,
                        const std::vector<int>& fallback);
  std::vector<double> Numbers(absl::string_view key, size_t min_count, size_t max_count, double least, double most);
  // An object or a list for another reader; never null, an empty object after a problem.
  const nlohmann::json& Object(absl::string_view key);
  const nlohmann::json& List(absl::string_view key, size_t min_count, size_t max_count);
  bool Has(absl::string_view key) const;

  // A rule that spans members.
  void Require(bool holds, absl::string_view key, absl::string_view rule);
  // The path of a member, for readers of nested objects.
  std::string Path(absl::string_view key) const;
  const std::string& file() const { return file_; }

  // Whether everything read so far was as it must be; Finish says what was not.
  bool ok() const { return status_.ok(); }
  absl::Status Finish();

 private:
  const nlohmann::json* Find(absl::string_view key, bool required);
  void Fail(absl::string_view key, absl::string_view rule);

  const nlohmann::json& object_;
  const std::string path_;
  const std::string file_;
  std::set<std::string> read_;
  absl::Status status_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_FIELDS_H_
