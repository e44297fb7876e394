// `sightline update`: attributes of indexed images are set, removed and replaced.
#include <gmock/gmock.h>

#include "tests/client/support/cli_test.h"

namespace sightline::cli {
namespace {

using ::testing::HasSubstr;

class UpdateVerbTest : public testing::CliTest {
 protected:
  UpdateVerbTest() {
    for (const char* name : {"a", "b"}) {
      const std::string path = File(std::string(name) + ".jpg", name);
      EXPECT_EQ(RunWords({"index", path, "-c", "shop", "--attribute", "brand=acme"}), kOk) << err_;
      ids_.push_back(path);
    }
  }

  std::vector<std::string> ids_;
};

TEST_F(UpdateVerbTest, SetsRemovesAndReplaces) {
  EXPECT_EQ(RunWords({"update", ids_[0], ids_[1], "-c", "shop", "--set", "price:double=9.5", "--set", "kind=shoe"}),
            kOk);
  EXPECT_EQ(out_, "updated 2 images\n");
  EXPECT_EQ(AttributesOf(ids_[1]), "brand=acme kind=shoe price=9.5");
  EXPECT_EQ(RunWords({"update", ids_[0], "-c", "shop", "--remove", "price", "--remove", "kind"}), kOk);
  EXPECT_EQ(AttributesOf(ids_[0]), "brand=acme");
  EXPECT_EQ(RunWords({"update", ids_[0], "-c", "shop", "--replace", "--set", "n:int64=7", "--json"}), kOk);
  EXPECT_THAT(out_, HasSubstr(R"("attributes":{"n":{"int64_value":7}})"));
  EXPECT_EQ(RunWords({"update", ids_[1], "-c", "shop", "--replace"}), kOk);
  EXPECT_EQ(AttributesOf(ids_[1]), "");
}

TEST_F(UpdateVerbTest, CountsWhatIsNotThere) {
  EXPECT_EQ(RunWords({"update", ids_[0], "none", "-c", "shop", "--set", "a=b"}), kOk);
  EXPECT_EQ(out_, "updated 1 image; 1 not found\n");
  EXPECT_EQ(RunWords({"update", "none", "-c", "shop", "--set", "a=b", "--json"}), kNothingFound);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, "1 not found\n");
}

TEST_F(UpdateVerbTest, RefusesWhatMakesNoSense) {
  EXPECT_EQ(RunWords({"update", "-c", "shop", "--set", "a=b"}), kUsage);
  EXPECT_EQ(RunWords({"update", ids_[0], "-c", "shop"}), kUsage);
  EXPECT_EQ(RunWords({"update", ids_[0], "--set", "a=b"}), kUsage);
  EXPECT_EQ(RunWords({"update", ids_[0], "-c", "shop", "--set", "price:double=cheap"}), kUsage);
  EXPECT_THAT(err_, HasSubstr("--set is \"price:double=cheap\""));
}

}  // namespace
}  // namespace sightline::cli
