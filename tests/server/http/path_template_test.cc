#include "server/http/path_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace sightline::server {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::optional<PathTemplate::Values> Match(absl::string_view text, absl::string_view path) {
  const auto made = PathTemplate::Parse(text);
  EXPECT_TRUE(made.ok()) << made.status();
  const auto match = made->Match(path);
  EXPECT_TRUE(match.ok()) << match.status();
  return match.ok() ? *match : std::nullopt;
}

TEST(PathTemplateTest, MatchesLiteralsVariablesAndVerbs) {
  EXPECT_TRUE(Match("/v1/models", "/v1/models").has_value());
  EXPECT_FALSE(Match("/v1/models", "/v1/models/").has_value());
  EXPECT_FALSE(Match("/v1/models", "/v1/model").has_value());
  EXPECT_TRUE(Match("/v1:embed", "/v1:embed").has_value());
  EXPECT_FALSE(Match("/v1:embed", "/v1:embe").has_value());
  EXPECT_THAT(*Match("/v1/collections/{name}:get", "/v1/collections/shop:get"), ElementsAre(Pair("name", "shop")));
  EXPECT_FALSE(Match("/v1/collections/{name}:get", "/v1/collections/shop").has_value());
  EXPECT_FALSE(Match("/v1/collections/{name}:get", "/v1/collections/:get").has_value());
  EXPECT_THAT(*Match("/v1/{name=operations/*}:cancel", "/v1/operations/o-7:cancel"),
              ElementsAre(Pair("name", "operations/o-7")));
  EXPECT_FALSE(Match("/v1/{name=operations/*}", "/v1/snapshots/o-7").has_value());
  EXPECT_THAT(*Match("/v1/collections/{collection}/images/{id}", "/v1/collections/a/images/b"),
              ElementsAre(Pair("collection", "a"), Pair("id", "b")));
}

TEST(PathTemplateTest, DecodesSegmentsOneByOne) {
  const auto decoded =
      Match("/v1/collections/{collection}/images/{id}", "/v1/collections/a/images/b%2Fc%20d%3Aget.jpg");
  EXPECT_EQ(decoded->back().second, "b/c d:get.jpg");
  EXPECT_EQ(Match("/v1/images/{id}", "/v1/images/a:b")->back().second, "a:b");
  EXPECT_EQ(Match("/v1/images/{id}", "/v1/images/..%2F..%2Fetc")->back().second, "../../etc");
}

TEST(PathTemplateTest, RefusesWhatCannotBeDecoded) {
  const auto path = *PathTemplate::Parse("/v1/images/{id}");
  for (const char* bad : {"/v1/images/%", "/v1/images/%2", "/v1/images/%zz"}) {
    EXPECT_EQ(base::GetErrorInfo(path.Match(bad).status()).reason, "ADDRESS_MALFORMED") << bad;
  }
  for (const char* bad : {"/v1/images/%FF", "/v1/images/a%00b", "/v1/images/%C0%AF", "/v1/images/%ED%A0%80"}) {
    EXPECT_EQ(base::GetErrorInfo(path.Match(bad).status()).reason, "ADDRESS_NOT_UTF8") << bad;
  }
  EXPECT_EQ((*path.Match("/v1/images/%E2%82%AC"))->back().second, "\xE2\x82\xAC");
}

TEST(PathTemplateTest, RefusesTemplatesItDoesNotUnderstand) {
  for (const char* bad :
       {"", "v1", "/", "/v1/", "/v1//a", "/v1/{", "/v1/{}", "/v1/{a=**}", "/v1/*", "/v1/{a}b", "/v1:"}) {
    EXPECT_FALSE(PathTemplate::Parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace sightline::server
