#include "server/int8_choice.h"

#include <string>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"

namespace sightline::server {
namespace {

// The numbers that a model of this directory is asked to compute in.
model::Numeric Asked(const std::vector<std::string>& names, const std::string& directory) {
  model::Numeric asked = model::Numeric::kFp32;
  const App::LoadModel load = WithInt8(
      names,
      [&asked](const std::string&, const model::LoadOptions& options) -> absl::StatusOr<std::unique_ptr<model::Model>> {
        asked = options.numeric;
        EXPECT_EQ(options.intra_op_threads, 3);
        return base::NotFound("NO_MODEL", "there is none. Nothing to do.");
      });
  EXPECT_EQ(load(directory, {.intra_op_threads = 3}).status().code(), absl::StatusCode::kNotFound);
  return asked;
}

TEST(Int8Choice, NamesAreThoseOfTheFolders) {
  EXPECT_EQ(Asked({}, "zoo/a"), model::Numeric::kFp32);
  EXPECT_EQ(Asked({"a"}, "zoo/a"), model::Numeric::kInt8);
  EXPECT_EQ(Asked({"a"}, "zoo/a/"), model::Numeric::kInt8);
  EXPECT_EQ(Asked({"a"}, "a"), model::Numeric::kInt8);
  EXPECT_EQ(Asked({"b", "a"}, "/models/a"), model::Numeric::kInt8);
  EXPECT_EQ(Asked({"b"}, "b/a"), model::Numeric::kFp32);
  EXPECT_EQ(Asked({"zoo/a"}, "zoo/a"), model::Numeric::kFp32);
}

TEST(Int8Choice, AllNamesEveryModel) {
  EXPECT_EQ(Asked({"all"}, "zoo/a"), model::Numeric::kInt8);
  EXPECT_EQ(Asked({"b", "all"}, "zoo/a"), model::Numeric::kInt8);
}

}  // namespace
}  // namespace sightline::server
