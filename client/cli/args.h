// Args: the flags and operands of one verb.
//
// Flags are written --name value, --name=value, -k value or -k5; a switch takes no value (--exact, or --exact=false).
// Dashes and underscores in names are alike. "--" ends the flags. Flags and operands may be mixed. A flag given twice
// keeps the last value, except repeated ones, which keep all.
//
// Threading: values. Failure: INVALID_ARGUMENT with a sentence, and a "Did you mean" where a name is near.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(Args args, ParseArgs("search", {{.name = "top_k", .short_name = 'k', .kind =
//   FlagKind::kInt}}, {"-k", "5"})); args.Int("top_k", 10);
#ifndef SIGHTLINE_CLIENT_CLI_ARGS_H_
#define SIGHTLINE_CLIENT_CLI_ARGS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sightline::cli {

enum class FlagKind { kSwitch, kText, kInt, kNumber, kDuration };

struct FlagSpec {
  std::string name = {};  // as in the API, with underscores
  char short_name = 0;
  FlagKind kind = FlagKind::kText;
  std::string value = {};  // what stands for the value in the help: "FILE"
  std::string help = {};
  bool repeated = false;
  std::vector<std::string> choices = {};  // the values there are, for completion
};

class Args {
 public:
  bool Has(const std::string& name) const { return values_.contains(name); }
  bool Switch(const std::string& name) const;
  std::string Text(const std::string& name, absl::string_view otherwise = "") const;
  std::vector<std::string> Texts(const std::string& name) const;
  int64_t Int(const std::string& name, int64_t otherwise) const;
  // The same for a field of 32 bits: what is beyond stays beyond what any limit allows.
  int32_t Int32(const std::string& name, int32_t otherwise) const;
  double Number(const std::string& name, double otherwise) const;
  absl::Duration Span(const std::string& name, absl::Duration otherwise) const;
  const std::vector<std::string>& operands() const { return operands_; }
  // All that was parsed, as it was given.
  const std::vector<std::string>& words() const { return words_; }

 private:
  friend absl::StatusOr<Args> ParseArgs(const std::string&, const std::vector<FlagSpec>&,
                                        const std::vector<std::string>&);
  // Checked when parsed: reading them back cannot fail.
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> operands_;
  std::vector<std::string> words_;
};

// `verb` is named in the errors.
absl::StatusOr<Args> ParseArgs(const std::string& verb, const std::vector<FlagSpec>& flags,
                               const std::vector<std::string>& words);

// "5", "2.5" (seconds), "500ms", "2m". False when it is none of these, or not above 0.
bool ParseSpan(absl::string_view text, absl::Duration* span);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_ARGS_H_
