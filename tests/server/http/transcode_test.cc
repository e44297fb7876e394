#include "server/http/transcode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "server/http/field_path.h"
#include "server/http/uri.h"
#include "sightline/v1/collection_service.pb.h"
#include "sightline/v1/index_service.pb.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::server {
namespace {

using ::testing::HasSubstr;

class TranscodeTest : public ::testing::Test {
 protected:
  template <typename Request>
  absl::StatusOr<Request> Make(absl::string_view verb, absl::string_view path, absl::string_view query = "",
                               RequestBody body = {}) {
    std::vector<std::string> allow;
    const auto match = routes_.Find(verb, path, &allow);
    if (!match.ok()) return match.status();
    const auto message = ToMessage(*match, query, std::move(body), !match->route->takes_body);
    if (!message.ok()) return message.status();
    return static_cast<const Request&>(**message);
  }
  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

  const Routes routes_ = *Routes::Make(ApiServices());
};

// Eight million of these took 1.6 GB and a quarter of a minute.
TEST_F(TranscodeTest, ManySmallMessagesAreRefusedUnread) {
  const auto make = [&](int count) {
    std::string json = R"({"pairs": [{})";
    for (int i = 1; i < count; ++i) json += ",{}";
    return Make<v1::FitConfidenceRequest>("POST", "/v1/collections/shop:fitConfidence", "",
                                          {.json = json + "]}", .fields = {}});
  };
  EXPECT_EQ(make(100'000)->pairs_size(), 100'000);
  EXPECT_EQ(Reason(make(300'000).status()), "JSON_TOO_MANY_VALUES");
}

TEST_F(TranscodeTest, PutsPathAndBodyTogether) {
  const auto request =
      Make<v1::SearchRequest>("POST", "/v1/collections/shop:search", "",
                              {.json = R"({"query": {"parts": [{"image": "AAEC"}]}, "topK": 7})", .fields = {}});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->collection(), "shop");
  EXPECT_EQ(request->top_k(), 7);
  EXPECT_EQ(request->query().parts(0).image(), std::string("\0\1\2", 3));
}

TEST_F(TranscodeTest, PutsFilesIntoFields) {
  const auto request = Make<v1::SearchRequest>(
      "POST", "/v1/collections/shop:search", "",
      {.json = R"({"top_k": 3})", .fields = {{"query.parts[0].image", "one"}, {"query.parts[1].image", "two"}}});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->query().parts(1).image(), "two");
  const auto refused = [&](const char* field, const char* json = "{}") {
    return Reason(
        Make<v1::SearchRequest>("POST", "/v1/collections/shop:search", "", {.json = json, .fields = {{field, "bytes"}}})
            .status());
  };
  EXPECT_EQ(refused("query.parts[1].image"), "FIELD_MALFORMED");
  EXPECT_EQ(refused("query.parts[99999999999].image"), "FIELD_MALFORMED");
  EXPECT_EQ(refused("query.parts[-1].image"), "FIELD_MALFORMED");
  EXPECT_EQ(refused("query.parts.image"), "FIELD_MALFORMED");
  EXPECT_EQ(refused("query[0].parts[0].image"), "FIELD_MALFORMED");
  EXPECT_EQ(refused("query.nothing"), "FIELD_UNKNOWN");
  EXPECT_EQ(refused(""), "FIELD_UNKNOWN");
  EXPECT_EQ(refused("collection"), "FIELD_NOT_BYTES");
  EXPECT_EQ(refused("query"), "FIELD_NOT_BYTES");
  EXPECT_EQ(refused("query.parts[0].image", R"({"query":{"parts":[{"image":"AAEC"}]}})"), "FIELD_TWICE");
  EXPECT_EQ(refused("query.parts[0].image", R"({"query":{"parts":[{"id":"a"}]}})"), "FIELD_CONFLICT");
  EXPECT_EQ(refused(std::string(10'000, '.').c_str()), "FIELD_MALFORMED");
}

TEST_F(TranscodeTest, ReadsParametersOfAnAddress) {
  const auto list =
      Make<v1::ListImagesRequest>("GET", "/v1/collections/shop/images",
                                  "pageSize=5&view=IMAGE_VIEW_PREVIEW&filter=brand%20%3D%20%22a+b%22&page_token=x");
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->page_size(), 5);
  EXPECT_EQ(list->view(), v1::IMAGE_VIEW_PREVIEW);
  EXPECT_EQ(list->filter(), "brand = \"a b\"");
  EXPECT_EQ(Make<v1::ListImagesRequest>("GET", "/v1/collections/shop/images", "view=2")->view(),
            v1::IMAGE_VIEW_PREVIEW);
  const auto refused = [&](const char* query) {
    return Reason(Make<v1::ListImagesRequest>("GET", "/v1/collections/shop/images", query).status());
  };
  EXPECT_EQ(refused("page_size=five"), "FIELD_VALUE_INVALID");
  EXPECT_EQ(refused("page_size=99999999999"), "FIELD_VALUE_INVALID");
  EXPECT_EQ(refused("view=NOTHING"), "FIELD_VALUE_INVALID");
  EXPECT_EQ(refused("page_size=1&page_size=2"), "FIELD_TWICE");
  EXPECT_EQ(refused("nothing=1"), "FIELD_UNKNOWN");
  EXPECT_EQ(refused("filter=%FF"), "ADDRESS_NOT_UTF8");
  EXPECT_EQ(refused("collection=other"), "FIELD_TWICE");
  EXPECT_EQ(Reason(Make<v1::ListImagesRequest>("GET", "/v1/collections/shop/images",
                                               [] {
                                                 std::string many;
                                                 for (int i = 0; i < 300; ++i) many += "a=1&";
                                                 return many;
                                               }())
                       .status()),
            "TOO_MANY_PARAMETERS");
}

TEST_F(TranscodeTest, SetsFieldsOfEveryKind) {
  v1::SearchRequest search;
  EXPECT_TRUE(SetFieldFromText("exact", "true", &search).ok());
  EXPECT_TRUE(search.exact());
  EXPECT_TRUE(SetFieldFromText("min_score", "0.25", &search).ok());
  v1::SearchStreamRequest item;
  EXPECT_TRUE(SetFieldFromText("timeout", "1.5s", &item).ok());
  EXPECT_EQ(item.timeout().nanos(), 500'000'000);
  EXPECT_FALSE(SetFieldFromText("timeout", "soon", &item).ok());
  v1::DeleteImagesRequest images;
  EXPECT_TRUE(SetFieldFromText("ids", "a", &images).ok());
  EXPECT_TRUE(SetFieldFromText("ids", "b", &images).ok());
  EXPECT_EQ(images.ids_size(), 2);
  v1::EmbedRequest embed;
  EXPECT_TRUE(SetFieldFromText("image", "AAEC", &embed).ok());
  EXPECT_EQ(embed.image().size(), 3u);
  EXPECT_FALSE(SetFieldFromText("exact", "yes", &search).ok());
}

TEST_F(TranscodeTest, RefusesBadJson) {
  const auto refused = [&](std::string json) {
    return Make<v1::SearchRequest>("POST", "/v1/collections/shop:search", "", {.json = std::move(json), .fields = {}})
        .status();
  };
  const absl::Status unknown = refused(R"({"query": {"prats": []}})");
  EXPECT_EQ(Reason(unknown), "JSON_INVALID");
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("prats"));
  for (const char* bad :
       {"{", "[]", "7", "\"a\"", "{\"topK\": \"many\"}", "{\"topK\": 1e99}", "{\"query\": {\"parts\": 1}}", "{} {}",
        "{\"collection\": \"\xFF\"}", "nonsense", "{\"query\":{\"parts\":[{\"image\":\"!!\"}]}}"}) {
    EXPECT_EQ(Reason(refused(bad)), "JSON_INVALID") << bad;
  }
  // Deep beyond any message: refused, and no deeper on the stack than it is read.
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "{\"query\":";
  EXPECT_EQ(Reason(refused(deep)), "JSON_INVALID");
  EXPECT_EQ(Reason(refused(std::string(200'000, '['))), "JSON_INVALID");
  EXPECT_EQ(Reason(refused(R"({"collection": "other"})")), "FIELD_CONFLICT");
  EXPECT_TRUE(refused(R"({"collection": "shop"})").ok());
  EXPECT_TRUE(refused("").ok());
}

TEST_F(TranscodeTest, WritesWhatIsEmptyToo) {
  v1::IndexResponse reply;
  reply.set_revision(3);
  EXPECT_EQ(*ToJson(reply), R"({"id":"","revision":"3","replayed":false,"stages":[]})");
}

TEST(UriTest, KnowsUtf8) {
  for (const char* good : {"", "abc", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"})
    EXPECT_TRUE(IsUtf8(good)) << good;
  for (const char* bad :
       {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x9F\x98", "\xFE"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

}  // namespace
}  // namespace sightline::server
