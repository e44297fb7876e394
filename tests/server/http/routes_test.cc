#include "server/http/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/status.h"

namespace sightline::server {
namespace {

using ::testing::UnorderedElementsAre;

class RoutesTest : public ::testing::Test {
 protected:
  std::string Method(absl::string_view verb, absl::string_view path) {
    const auto match = routes_.Find(verb, path, &allow_);
    return match.ok() ? match->route->method->name() : base::GetErrorInfo(match.status()).reason;
  }

  const Routes routes_ = *Routes::Make(ApiServices());
  std::vector<std::string> allow_;
};

TEST_F(RoutesTest, EveryMethodHasAPost) {
  std::set<std::string> all;
  std::set<std::string> reached;
  for (const auto* service : ApiServices()) {
    for (int i = 0; i < service->method_count(); ++i) all.insert(service->method(i)->full_name());
  }
  for (const Route& route : routes_.all()) {
    if (route.verb == "POST") reached.insert(route.method->full_name());
  }
  EXPECT_GE(all.size(), 37u);
  EXPECT_EQ(all, reached);
}

TEST_F(RoutesTest, FindsByVerbAndPath) {
  EXPECT_EQ(Method("POST", "/v1/collections/shop:search"), "Search");
  EXPECT_EQ(Method("GET", "/v1/collections"), "ListCollections");
  EXPECT_EQ(Method("HEAD", "/v1/collections"), "ListCollections");
  EXPECT_EQ(Method("POST", "/v1/collections"), "CreateCollection");
  EXPECT_EQ(Method("POST", "/v1/collections:list"), "ListCollections");
  EXPECT_EQ(Method("DELETE", "/v1/snapshots/s-1"), "DeleteSnapshot");
  EXPECT_EQ(Method("GET", "/v1/collections/c/images/a"), "GetImage");
  EXPECT_EQ(Method("GET", "/v1/collections/c/images/a/preview"), "GetImage");
  EXPECT_EQ(Method("POST", "/v1:embed"), "Embed");
  EXPECT_EQ(Method("POST", "/v1/models/m:embed"), "Embed");
}

TEST_F(RoutesTest, AColonIsAVerbOnlyWhereThereIsOne) {
  const auto image = routes_.Find("GET", "/v1/collections/c/images/2024:01:02.jpg", &allow_);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->values.back().second, "2024:01:02.jpg");
  // A POST with that verb is another thing; a GET is the image of that name.
  const auto get = routes_.Find("GET", "/v1/collections/c/images/x:get", &allow_);
  ASSERT_TRUE(get.ok()) << get.status();
  EXPECT_EQ(get->values.back().second, "x:get");
}

TEST_F(RoutesTest, TellsWhichVerbsThereAre) {
  EXPECT_EQ(Method("PUT", "/v1/collections"), "VERB_NOT_ALLOWED");
  EXPECT_THAT(allow_, UnorderedElementsAre("GET", "POST"));
  allow_.clear();
  EXPECT_EQ(Method("GET", "/v1/nothing"), "ADDRESS_UNKNOWN");
  EXPECT_EQ(Method("GET", "/v1/collections//images"), "ADDRESS_UNKNOWN");
  EXPECT_TRUE(allow_.empty());
}

}  // namespace
}  // namespace sightline::server
