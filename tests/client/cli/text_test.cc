#include "client/cli/text.h"

#include <gtest/gtest.h>

#include "client/cli/table.h"
#include "client/cli/values.h"

namespace sightline::cli {
namespace {

TEST(TextTest, KnowsUtf8) {
  for (const char* good :
       {"", "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x91\x9F", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(good)) << Printable(good);
  }
  for (const char* bad : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                          "\xF8\x88\x80\x80\x80", "a\xFF", "\xE2\x82"}) {
    EXPECT_FALSE(IsUtf8(bad)) << Printable(bad);
  }
}

TEST(TextTest, NothingSteersATerminal) {
  EXPECT_EQ(Printable("a\x1b[2Jb\n\t\x7f\xC2\x9B"), "a\\x1b[2Jb\\x0a\\x09\\x7f\\xc2\\x9b");
  EXPECT_EQ(Printable("h\xC3\xA9\xFF"), "h\xC3\xA9\\xff");
}

TEST(TextTest, MeasuresEdits) {
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("search", "search"), 0);
  EXPECT_EQ(EditDistance("searhc", "search"), 1);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

TEST(TextTest, SuggestsOnlyWhatIsNear) {
  const std::vector<std::string> verbs = {"index", "search", "status"};
  EXPECT_EQ(Closest("serch", verbs), "search");
  EXPECT_EQ(Closest("indxe", verbs), "index");
  EXPECT_EQ(Closest("frobnicate", verbs), "");
  EXPECT_EQ(Closest(std::string(100'000, 'x'), verbs), "");
}

TEST(TextTest, FormatsForPeople) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatCount(-123456), "-123,456");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(16 << 20), "16.0 MiB");
  EXPECT_EQ(FormatSpan(absl::Seconds(59)), "59 s");
  EXPECT_EQ(FormatSpan(absl::Seconds(200)), "3 min 20 s");
  EXPECT_EQ(FormatSpan(absl::Seconds(7500)), "2 h 05 min");
  EXPECT_EQ(FormatSpan(absl::Hours(98)), "4 d 2 h");
  EXPECT_EQ(Plural(1, "image"), "1 image");
  EXPECT_EQ(Plural(2000, "image"), "2,000 images");
}

TEST(TableTest, AlignsByCharactersNotBytes) {
  Table table({{"id"}, {"score", Align::kRight}});
  table.AddRow({"h\xC3\xA9.jpg", "0.5"});
  table.AddRow({"longer\n.jpg", "12.25"});
  EXPECT_EQ(table.Render(),
            "id              score\n"
            "h\xC3\xA9.jpg            0.5\n"
            "longer\\x0a.jpg  12.25\n");
}

TEST(ValuesTest, ReadsCropBoxes) {
  const auto pixels = ParseCrop("crop", "120,80,400,360", "");
  ASSERT_TRUE(pixels.ok());
  EXPECT_EQ(pixels->unit, v1::CropBox::UNIT_PIXEL);
  EXPECT_EQ(pixels->x1, 400);
  EXPECT_EQ(ParseCrop("crop", "0,0,1,1", "")->unit, v1::CropBox::UNIT_FRACTION);
  EXPECT_EQ(ParseCrop("crop", "0,0,1,1", "pixel")->unit, v1::CropBox::UNIT_PIXEL);
  for (const char* bad : {"", "1,2,3", "1,2,3,4,5", "a,b,c,d", "0.5,0,0.5,1", "0,1,1,0", "nan,0,1,1", "0,0,inf,1"}) {
    EXPECT_FALSE(ParseCrop("crop", bad, "").ok()) << bad;
  }
  EXPECT_FALSE(ParseCrop("crop", "0,0,1,1", "inch").ok());
}

TEST(ValuesTest, ReadsAndWritesAttributes) {
  const auto attributes =
      ParseAttributes({"brand=a=b", "price:double=9.5", "n:int64=-3", "new:bool=true", "colours:list=red,blue"});
  ASSERT_TRUE(attributes.ok()) << attributes.status();
  EXPECT_EQ(AttributesText(*attributes), "brand=a=b colours=red,blue n=-3 new=true price=9.5");
  EXPECT_EQ(attributes->at("colours").string_list().values_size(), 2);
  for (const char* bad : {"brand", "=x", "n:int64=1.5", "p:double=nan", "b:bool=perhaps", "x:blob=1"}) {
    EXPECT_FALSE(ParseAttributes({bad}).ok()) << bad;
  }
}

}  // namespace
}  // namespace sightline::cli
