#include "client/cli/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace sightline::cli {
namespace {

TEST(GlobTest, APatternWithoutASlashMeansTheName) {
  EXPECT_TRUE(GlobMatches("*.jpg", "a.jpg"));
  EXPECT_TRUE(GlobMatches("*.jpg", "x/y/a.jpg"));
  EXPECT_FALSE(GlobMatches("*.jpg", "a.jpeg"));
  EXPECT_FALSE(GlobMatches("*.jpg", "a.jpg/b"));
  EXPECT_TRUE(GlobMatches("drafts/", "x/drafts"));
  EXPECT_TRUE(GlobMatches("a?.jpg", "ab.jpg"));
  EXPECT_FALSE(GlobMatches("a?.jpg", "a.jpg"));
}

TEST(GlobTest, APatternWithASlashMeansThePath) {
  EXPECT_TRUE(GlobMatches("x/*.jpg", "x/a.jpg"));
  EXPECT_FALSE(GlobMatches("x/*.jpg", "x/y/a.jpg"));
  EXPECT_FALSE(GlobMatches("x/*.jpg", "y/x/a.jpg"));
  EXPECT_TRUE(GlobMatches("x/**", "x/y/a.jpg"));
  EXPECT_TRUE(GlobMatches("/a.jpg", "a.jpg"));
  EXPECT_FALSE(GlobMatches("/a.jpg", "x/a.jpg"));
  EXPECT_TRUE(GlobMatches("./x/a.jpg", "x/a.jpg"));
}

TEST(GlobTest, TwoStarsAreAnyNumberOfFolders) {
  EXPECT_TRUE(GlobMatches("**/raw/*.png", "raw/a.png"));
  EXPECT_TRUE(GlobMatches("**/raw/*.png", "x/y/raw/a.png"));
  EXPECT_FALSE(GlobMatches("**/raw/*.png", "x/draw/a.png"));
  EXPECT_TRUE(GlobMatches("x/**/a.jpg", "x/a.jpg"));
  EXPECT_TRUE(GlobMatches("x/**/a.jpg", "x/y/z/a.jpg"));
  EXPECT_FALSE(GlobMatches("x/**/a.jpg", "x/y/ba.jpg"));
}

TEST(GlobTest, SetsAndEscapes) {
  EXPECT_TRUE(GlobMatches("[a-c]1.jpg", "b1.jpg"));
  EXPECT_FALSE(GlobMatches("[a-c]1.jpg", "d1.jpg"));
  EXPECT_TRUE(GlobMatches("[!a-c]1.jpg", "d1.jpg"));
  EXPECT_TRUE(GlobMatches("[]x].jpg", "].jpg"));
  EXPECT_TRUE(GlobMatches("[a-].jpg", "-.jpg"));
  EXPECT_TRUE(GlobMatches("a[.jpg", "a[.jpg"));
  EXPECT_TRUE(GlobMatches("\\*.jpg", "*.jpg"));
  EXPECT_FALSE(GlobMatches("\\*.jpg", "a.jpg"));
  EXPECT_TRUE(GlobMatches("[\x80-\xff]", "\xc3"));
}

TEST(GlobTest, NoPatternTakesLong) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "a*";
  EXPECT_FALSE(GlobMatches(pattern + "b", std::string(4000, 'a')));
  EXPECT_TRUE(GlobMatches("", ""));
  EXPECT_FALSE(GlobMatches("", "a"));
}

}  // namespace
}  // namespace sightline::cli
