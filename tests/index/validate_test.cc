// Every kind of bad input, and what the refusal says.
#include "index/validate.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Record GoodRecord() {
  std::mt19937 random(1);
  Record record;
  record.id = "é-1";
  record.descriptor = {3, 4};
  record.tokens = RandomTokens(random, 2, 2, 3);
  record.attributes = {{"k", "v"}};
  record.sha256 = std::string(64, '0');
  return record;
}

void ToFloats(TokenPrecision precision, Record& record) {
  PatchTokens& tokens = *record.tokens;
  tokens.precision = precision;
  tokens.floats.assign(tokens.values.begin(), tokens.values.end());
  tokens.values.clear();
  tokens.scales.clear();
}

// Two sentences at least: what is wrong, and what to do.
void ExpectRefusal(const absl::Status& status, absl::string_view reason) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << reason;
  EXPECT_EQ(base::GetErrorInfo(status).reason, reason) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), ". ")) << status.message();
  EXPECT_TRUE(absl::EndsWith(status.message(), ".")) << status.message();
}

TEST(ValidateTest, RefusesEveryBadRecord) {
  struct Case {
    const char* reason;
    std::function<void(Record&)> spoil;
  };
  const std::vector<Case> cases = {
      {"ID_INVALID", [](Record& r) { r.id = std::string(""); }},
      {"ID_INVALID", [](Record& r) { r.id = std::string(513, 'a'); }},
      {"ID_INVALID", [](Record& r) { r.id = std::string("a\nb"); }},
      {"ID_INVALID", [](Record& r) { r.id = std::string("a\0b", 3); }},
      {"ID_INVALID", [](Record& r) { r.id = std::string("\xff"); }},
      {"ID_INVALID", [](Record& r) { r.id = std::string("a\x7f"); }},
      {"DESCRIPTOR_INVALID",
       [](Record& r) {
         r.descriptor = {1, kNan};
       }},
      {"DESCRIPTOR_INVALID",
       [](Record& r) {
         r.descriptor = {-kInfinity, 1};
       }},
      {"DESCRIPTOR_INVALID",
       [](Record& r) {
         r.descriptor = {0, -0.0f};
       }},
      {"DESCRIPTOR_INVALID", [](Record& r) { r.descriptor.assign(8193, 1); }},
      {"TOO_MANY_ATTRIBUTES",
       [](Record& r) {
         for (int i = 0; i < 65; ++i) r.attributes[absl::StrCat(i)] = true;
       }},
      {"ATTRIBUTES_TOO_LARGE", [](Record& r) { r.attributes["big"] = std::string(8192, 'x'); }},
      {"ATTRIBUTES_TOO_LARGE", [](Record& r) { r.attributes["big"] = std::vector<std::string>(3000); }},
      {"ATTRIBUTE_INVALID", [](Record& r) { r.attributes[""] = true; }},
      {"ATTRIBUTE_INVALID", [](Record& r) { r.attributes[std::string(65, 'k')] = true; }},
      {"ATTRIBUTE_INVALID", [](Record& r) { r.attributes["a\tb"] = true; }},
      {"ATTRIBUTE_INVALID", [](Record& r) { r.attributes["\xc0\x80"] = true; }},
      {"ATTRIBUTE_INVALID", [](Record& r) { r.attributes["k"] = "\xed\xa0\x80"; }},
      {"ATTRIBUTE_INVALID",
       [](Record& r) {
         r.attributes["k"] = std::vector<std::string>{"ok", "\xfe"};
       }},
      {"ATTRIBUTE_INVALID", [](Record& r) { r.attributes["k"] = std::numeric_limits<double>::quiet_NaN(); }},
      {"SOURCE_URI_INVALID", [](Record& r) { r.source_uri = std::string(2049, 'u'); }},
      {"SOURCE_URI_INVALID", [](Record& r) { r.source_uri = std::string("\x80"); }},
      {"SHA256_INVALID", [](Record& r) { r.sha256 = std::string(64, 'A'); }},
      {"SHA256_INVALID", [](Record& r) { r.sha256 = std::string("00"); }},
      {"IMAGE_INVALID", [](Record& r) { r.width = -1; }},
      {"IMAGE_INVALID", [](Record& r) { r.height = 1 << 24; }},
      {"IMAGE_INVALID", [](Record& r) { r.image = std::string((16 << 20) + 1, 'x'); }},
      {"IMAGE_INVALID", [](Record& r) { r.image_mime_type = std::string(65, 'm'); }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->height = 0; }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->width = -2; }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->height = r.tokens->width = 1 << 30; }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->height = 1025; }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->dim = 0; }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->dim = 1025; }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->values.pop_back(); }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->scales.push_back(1); }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->importance.clear(); }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->centre.push_back(1); }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->scales[0] = kNan; }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->importance[0] = kInfinity; }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->importance[0] = -0.25f; }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->importance[0] = 0.75f; }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->centre[0] = kNan; }},
      {"TOKENS_INVALID", [](Record& r) { r.tokens->floats.assign(r.tokens->values.size(), 1); }},  // both
      {"TOKENS_INVALID", [](Record& r) { r.tokens->precision = TokenPrecision::kFloat16; }},       // neither
      {"TOKENS_INVALID",
       [](Record& r) {
         ToFloats(TokenPrecision::kFloat16, r);
         r.tokens->floats[1] = 65'520;
       }},
      {"TOKENS_INVALID",
       [](Record& r) {
         ToFloats(TokenPrecision::kFloat32, r);
         r.tokens->floats[1] = kNan;
       }},
      {"TOKENS_INVALID",
       [](Record& r) {
         ToFloats(TokenPrecision::kFloat32, r);
         r.tokens->floats.pop_back();
       }},
      {"TOKENS_INVALID",
       [](Record& r) {
         ToFloats(TokenPrecision::kFloat32, r);
         r.tokens->scales.assign(static_cast<size_t>(r.tokens->cells()), 1);
       }},
      {"TOKENS_INVALID",
       [](Record& r) {
         ToFloats(TokenPrecision::kFloat32, r);
         r.tokens->values.push_back(1);
       }},
  };
  ASSERT_TRUE(ValidateRecord(GoodRecord(), {}, false).ok()) << ValidateRecord(GoodRecord(), {}, false);
  for (const TokenPrecision precision : {TokenPrecision::kFloat16, TokenPrecision::kFloat32}) {
    Record floats = GoodRecord();
    ToFloats(precision, floats);
    EXPECT_TRUE(ValidateRecord(floats, {}, false).ok()) << ValidateRecord(floats, {}, false);
    floats.tokens->floats[0] = -65'504;
    EXPECT_TRUE(ValidateRecord(floats, {}, false).ok()) << ValidateRecord(floats, {}, false);
  }
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    Record record = GoodRecord();
    cases[i].spoil(record);
    ExpectRefusal(ValidateRecord(record, {}, false), cases[i].reason);
  }
  Record record = GoodRecord();
  record.id.clear();
  EXPECT_TRUE(ValidateRecord(record, {}, /*allow_empty_id=*/true).ok());
}

TEST(ValidateTest, NamesOfCollections) {
  for (const char* good : {"a", "0", "shop-2_x"}) EXPECT_TRUE(ValidateCollectionName(good).ok()) << good;
  EXPECT_TRUE(ValidateCollectionName(std::string(64, 'a')).ok());
  for (const std::string& bad : {std::string(), std::string(65, 'a'), std::string("-a"), std::string("_"),
                                 std::string("A"), std::string("a/b"), std::string(".."), std::string("a\0", 2)}) {
    ExpectRefusal(ValidateCollectionName(bad), "COLLECTION_NAME_INVALID");
  }
}

TEST(ValidateTest, RefusesEveryBadSetting) {
  CollectionConfig good;
  good.name = "a";
  good.embedding_space = "s";
  good.descriptor_dim = 4;
  EXPECT_TRUE(ValidateConfig(good, {}).ok());
  CollectionConfig config = good;
  config.embedding_space.clear();
  ExpectRefusal(ValidateConfig(config, {}), "EMBEDDING_SPACE_MISSING");
  for (const int dim : {0, -1, 8193}) {
    config = good;
    config.descriptor_dim = dim;
    ExpectRefusal(ValidateConfig(config, {}), "DESCRIPTOR_DIM_INVALID");
  }
  config = good;
  config.description = std::string(4097, 'd');
  ExpectRefusal(ValidateConfig(config, {}), "COLLECTION_SETTINGS_INVALID");
  for (const auto& [setting, bad] : std::vector<std::pair<int CollectionConfig::*, std::vector<int>>>{
           {&CollectionConfig::hnsw_m, {-1, 3, 65}},
           {&CollectionConfig::hnsw_ef_construction, {-1, 15, 1001}},
           {&CollectionConfig::ivf_lists, {-1, 65'537}}}) {
    for (const int value : bad) {
      config = good;
      config.*setting = value;
      EXPECT_EQ(ValidateConfig(config, {}).code(), absl::StatusCode::kInvalidArgument) << value;
    }
  }
}

TEST(ValidateTest, NormalizesEvenTheSmallestAndLargest) {
  EXPECT_EQ(*NormalizeDescriptor({3, 4}, 2), (std::vector<float>{0.6f, 0.8f}));
  const float tiny = std::numeric_limits<float>::denorm_min();
  const float huge = std::numeric_limits<float>::max();
  EXPECT_EQ(*NormalizeDescriptor({tiny, 0}, 2), (std::vector<float>{1, 0}));
  EXPECT_NEAR((*NormalizeDescriptor({huge, -huge}, 2))[1], -0.70710678, 1e-7);
  ExpectRefusal(NormalizeDescriptor({1, 2, 3}, 2).status(), "DESCRIPTOR_DIM_MISMATCH");
}

TEST(ValidateTest, Utf8) {
  for (const char* good : {"", "a", "é", "€", "𝄞", "\xf4\x8f\xbf\xbf"}) EXPECT_TRUE(IsUtf8(good)) << good;
  for (const char* bad : {"\x80", "\xc3", "\xc0\xaf", "\xe2\x82", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xf8\x88\x80\x80\x80", "\xf0\x80\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

}  // namespace
}  // namespace sightline::index
