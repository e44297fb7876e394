// The command line of one verb: flags of the form --name VALUE or --name=VALUE, switches, and positional arguments.
//
// Threading: a Flags is read-only once parsed. Ownership: values. Failure: INVALID_ARGUMENT that names the argument.
//
//   auto flags = Flags::Parse(arguments, {{"out", "DIR"}, {"json", ""}});
//   SIGHTLINE_ASSIGN_OR_RETURN(const int64_t seed, flags->Integer("seed", 1));
#ifndef SIGHTLINE_MODEL_TRAIN_FLAGS_H_
#define SIGHTLINE_MODEL_TRAIN_FLAGS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sightline::train {

struct FlagSpec {
  std::string name;   // without the dashes
  std::string value;  // what the value is called in the help; empty for a switch
};

class Flags {
 public:
  static absl::StatusOr<Flags> Parse(const std::vector<std::string>& arguments, const std::vector<FlagSpec>& specs);

  bool Has(const std::string& name) const { return values_.contains(name); }
  std::string Text(const std::string& name, const std::string& otherwise) const;
  absl::StatusOr<int64_t> Integer(const std::string& name, int64_t otherwise) const;
  absl::StatusOr<int64_t> IntegerWithin(const std::string& name, int64_t otherwise, int64_t least, int64_t most) const;
  // As Integer, for one that checks the range itself.
  absl::StatusOr<int> Int(const std::string& name, int otherwise) const;
  // --threads, 0 to 1024; 0 for all cores.
  absl::StatusOr<int> Threads() const;
  // Also infinities and what is no number, which a check of the range refuses.
  absl::StatusOr<double> Number(const std::string& name, double otherwise) const;
  const std::vector<std::string>& positional() const { return positional_; }

 private:
  std::map<std::string, std::string> values_;
  std::vector<std::string> positional_;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_FLAGS_H_
