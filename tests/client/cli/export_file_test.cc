// Files of exported collections: what the header says of patch tokens in every precision, and what is refused.
#include "client/cli/export_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/support/temp_folder.h"

namespace sightline::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::ImageRecord ImageWithTokens(const std::string& id, v1::PatchTokens::Precision precision, size_t value_bytes) {
  v1::ImageRecord image;
  image.set_id(id);
  image.mutable_global_descriptor()->mutable_values()->Resize(2, 0.5f);
  image.mutable_global_descriptor()->set_embedding_space("space");
  v1::PatchTokens& tokens = *image.mutable_tokens();
  tokens.set_height(1);
  tokens.set_width(2);
  tokens.set_dim(3);
  tokens.set_precision(precision);
  tokens.set_values(std::string(6 * value_bytes, '\x3c'));
  if (value_bytes == 1) tokens.mutable_scales()->Resize(2, 0.25f);
  tokens.mutable_importance()->Resize(2, 0.5f);
  tokens.mutable_centre()->Resize(3, 1);
  return image;
}

v1::Collection OfTwoValues() {
  v1::Collection collection;
  collection.set_name("shop");
  collection.set_descriptor_dim(2);
  collection.set_embedding_space("space");
  return collection;
}

TEST(ExportFileTest, WritesTokensAsTheyAre) {
  const sightline::testing::TempFolder folder;
  struct Case {
    v1::PatchTokens::Precision precision;
    size_t value_bytes;
    std::string dtype;
  };
  for (const Case& c :
       {Case{v1::PatchTokens::PRECISION_UNSPECIFIED, 1, "I8"}, Case{v1::PatchTokens::PRECISION_INT8, 1, "I8"},
        Case{v1::PatchTokens::PRECISION_FLOAT16, 2, "F16"}, Case{v1::PatchTokens::PRECISION_FLOAT32, 4, "F32"}}) {
    SCOPED_TRACE(c.dtype);
    const std::string path = absl::StrCat(folder.path(), "/", static_cast<int>(c.precision));
    const auto file = ExportFile::Create(path, OfTwoValues(), /*tokens=*/true);
    ASSERT_TRUE(file.ok()) << file.status();
    for (const char* id : {"a", "b"}) {
      ASSERT_TRUE((*file)->Add(ImageWithTokens(id, c.precision, c.value_bytes)).ok());
    }
    ASSERT_TRUE((*file)->Finish().ok());
    std::ifstream in(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
    const std::string header = bytes.substr(sizeof header_bytes, header_bytes);
    EXPECT_THAT(header, HasSubstr(absl::StrCat("\"token_values\":{\"dtype\":\"", c.dtype, "\",\"shape\":[4,3]")));
    const std::string scales = "\"token_scales\":{\"dtype\":\"F32\",\"shape\":[4]";
    if (c.value_bytes == 1) {
      EXPECT_THAT(header, HasSubstr(scales));
    } else {
      EXPECT_THAT(header, Not(HasSubstr("token_scales")));
    }
    EXPECT_THAT(bytes.substr(sizeof header_bytes + header_bytes), HasSubstr(std::string(12 * c.value_bytes, '\x3c')));
  }
}

TEST(ExportFileTest, RefusesTokensThatAreNotLikeTheOthers) {
  const sightline::testing::TempFolder folder;
  const auto refused = [&](const v1::ImageRecord& image) {
    static int count = 0;
    const auto file = ExportFile::Create(absl::StrCat(folder.path(), "/", ++count), OfTwoValues(), /*tokens=*/true);
    EXPECT_TRUE((*file)->Add(ImageWithTokens("a", v1::PatchTokens::PRECISION_INT8, 1)).ok());
    return base::GetErrorInfo((*file)->Add(image)).reason;
  };
  EXPECT_EQ(refused(ImageWithTokens("b", v1::PatchTokens::PRECISION_FLOAT16, 2)), "TOKENS_INVALID");
  EXPECT_EQ(refused(ImageWithTokens("b", v1::PatchTokens::PRECISION_FLOAT32, 2)), "TOKENS_INVALID");
  v1::ImageRecord scaled = ImageWithTokens("b", v1::PatchTokens::PRECISION_FLOAT16, 2);
  scaled.mutable_tokens()->add_scales(1);
  EXPECT_EQ(refused(scaled), "TOKENS_INVALID");
}

}  // namespace
}  // namespace sightline::cli
