// `sightline index`: which files it takes, with which attributes, and what it leaves out, against a server in this
// process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "client/cli/image_files.h"
#include "client/cli/item_attributes.h"
#include "client/cli/run.h"
#include "tests/client/support/cli_test.h"

namespace sightline::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class IndexVerbTest : public testing::CliTest {
 protected:
  std::string File(const std::string& name, const std::string& content) {
    return CliTest::File("photos/" + name, content);
  }

  int Index(std::vector<std::string> more) {
    std::vector<std::string> words = {"index", photos_.string(), "-c", "shop"};
    words.insert(words.end(), more.begin(), more.end());
    return RunWords(words);
  }

  std::vector<std::string> Ids(const WalkOptions& options) {
    std::vector<std::string> ids;
    FileWalk walk({photos_.string()}, options);
    while (const auto found = walk.Next()) ids.push_back(found->problem.ok() ? found->file.id : "!");
    return ids;
  }

  const fs::path photos_ = Path("photos");
};

TEST_F(IndexVerbTest, TakesWhatIncludeAndExcludeLeave) {
  for (const char* name : {"a.jpg", "b.png", "x/c.jpg", "x/d.webp", "drafts/e.jpg", "x/drafts/f.jpg"}) File(name, name);
  EXPECT_THAT(Ids({}), ElementsAre("a.jpg", "b.png", "drafts/e.jpg", "x/c.jpg", "x/d.webp", "x/drafts/f.jpg"));
  EXPECT_THAT(Ids({.include = {"*.jpg"}}), ElementsAre("a.jpg", "drafts/e.jpg", "x/c.jpg", "x/drafts/f.jpg"));
  EXPECT_THAT(Ids({.exclude = {"drafts"}}), ElementsAre("a.jpg", "b.png", "x/c.jpg", "x/d.webp"));
  EXPECT_THAT(Ids({.include = {"x/**"}, .exclude = {"*.webp", "/x/drafts"}}), ElementsAre("x/c.jpg"));
  EXPECT_EQ(Index({"--exclude", "*"}), kNothingFound);
  EXPECT_THAT(err_, HasSubstr("that --include and --exclude leave. Change the patterns."));
  EXPECT_EQ(Index({"--include", "b*", "--include", "c*"}), kOk);
  EXPECT_EQ(server_.images("shop"), 2);
}

TEST_F(IndexVerbTest, LeavesHiddenFilesOut) {
  for (const char* name : {"a.jpg", ".b.jpg", ".git/c.jpg"}) File(name, name);
  EXPECT_THAT(Ids({}), ElementsAre("a.jpg"));
  EXPECT_THAT(Ids({.hidden = true}), ElementsAre(".b.jpg", ".git/c.jpg", "a.jpg"));
}

TEST_F(IndexVerbTest, WalksLinksPipesAndClosedFoldersToTheEnd) {
  File("a/1.jpg", "1");
  File("closed/2.jpg", "2");
  File("z.jpg", "3");
  fs::create_directory_symlink(photos_, photos_ / "a" / "up");
  fs::create_symlink("self.jpg", photos_ / "self.jpg");
  ASSERT_EQ(::mkfifo((photos_ / "pipe.jpg").c_str(), 0600), 0);
  if (::geteuid() != 0) {
    fs::permissions(photos_ / "closed", fs::perms::none);
    EXPECT_THAT(Ids({}), ElementsAre("a/1.jpg", "!", "z.jpg"));
    fs::permissions(photos_ / "closed", fs::perms::owner_all);
  }
  EXPECT_THAT(Ids({}), ElementsAre("a/1.jpg", "closed/2.jpg", "z.jpg"));
}

TEST_F(IndexVerbTest, SendsSameBytesOnce) {
  File("a.jpg", "same");
  File("b.jpg", "same");
  File("c.jpg", "other");
  EXPECT_EQ(Index({"--json"}), kOk);
  EXPECT_THAT(
      out_, AllOf(HasSubstr(R"({"event":"duplicate","id":"b.jpg",)"), HasSubstr(R"("first_id":"a.jpg"})"),
                  HasSubstr(R"("indexed":2,"skipped":0,"failed":0,"remaining":0,)"), HasSubstr(R"("duplicates":1})")));
  // The same again: what is known counts as met as well.
  EXPECT_EQ(Index({}), kOk);
  EXPECT_THAT(out_, AllOf(StartsWith("indexed 0 images"), HasSubstr("skipped 2 already indexed\n"),
                          HasSubstr("skipped 1 with the bytes of another file; --keep_duplicates")));
  EXPECT_EQ(Index({"--keep_duplicates"}), kOk);
  EXPECT_EQ(server_.images("shop"), 3);
}

TEST_F(IndexVerbTest, AFileThatFailsDoesNotStandForAnotherOfItsBytes) {
  File("a.jpg", "same");
  File("a.jpg.json", "broken");
  File("b.jpg", "same");
  EXPECT_EQ(Index({"--sidecars"}), kPartial);
  EXPECT_THAT(out_, StartsWith("indexed 1 image"));
  EXPECT_EQ(server_.WritesOf("b.jpg").size(), 1u);
}

TEST_F(IndexVerbTest, AttributesComeFromATable) {
  File("a.jpg", "a");
  File("x/b.jpg", "b");
  File("c.jpg", "c");
  const std::string table = File("../t.csv",
                                 "path,brand,price:double,tags:list\n"
                                 "a.jpg,\"acme, inc\",9.5,\"red,blue\"\n"
                                 "./x/b.jpg,,3,\n"
                                 "gone.jpg,none,1,\n");
  EXPECT_EQ(Index({"--attributes", table, "--attribute", "brand=house", "--attribute", "n:int64=1"}), kOk) << err_;
  EXPECT_THAT(err_, AllOf(HasSubstr("1 file without a row in "), HasSubstr("1 row of ")));
  EXPECT_EQ(AttributesOf("a.jpg"), "brand=acme, inc n=1 price=9.5 tags=red,blue");
  EXPECT_EQ(AttributesOf("x/b.jpg"), "brand=house n=1 price=3");
  EXPECT_EQ(AttributesOf("c.jpg"), "brand=house n=1");
  // Resumes by the attributes of each image.
  File("../t.csv", "path,brand,price:double\na.jpg,\"acme, inc\",9.5\nx/b.jpg,other,3\n");
  EXPECT_EQ(Index({"--attributes", table}), kOk);
  EXPECT_THAT(out_, AllOf(StartsWith("indexed 1 image "), HasSubstr("skipped 2 already indexed")));
  EXPECT_EQ(AttributesOf("x/b.jpg"), "brand=other price=3");
}

TEST_F(IndexVerbTest, ATableMayNameIds) {
  File("a.jpg", "a");
  const std::string table = File("../t.csv", "brand,id\nacme,p/a.jpg\n");
  EXPECT_EQ(Index({"--attributes", table, "--id_prefix", "p/"}), kOk);
  EXPECT_EQ(AttributesOf("p/a.jpg"), "brand=acme");
}

TEST_F(IndexVerbTest, ABrokenTableSendsNothing) {
  File("a.jpg", "a");
  const std::pair<const char*, const char*> tables[] = {
      {"name,brand\na.jpg,x\n", "has no column \"id\" or \"path\". Add one"},
      {"path,price:double\na.jpg,cheap\n", "line 2: price:double is \"cheap\"; it must suit the column's type"},
      {"path,b\na.jpg,1\n./a.jpg,2\n", "another row has it already."},
      {"path,b\n,1\n", "it must name an image."},
      {"path,b\na.jpg\n", "line 2"},
      {"path,b\na.jpg,\xff\n", "it must be UTF-8."},
      {"", "t.csv"}};
  for (const auto& [text, problem] : tables) {
    const std::string table = File("../t.csv", text);
    EXPECT_EQ(Index({"--attributes", table}), kError) << text;
    EXPECT_THAT(err_, HasSubstr(problem)) << text;
  }
  EXPECT_EQ(Index({"--attributes", "/no/such/table.csv"}), kError);
  EXPECT_EQ(server_.images("shop"), 0);
}

TEST_F(IndexVerbTest, AttributesComeFromSidecars) {
  File("a.jpg", "a");
  File("a.jpg.json", R"({"brand":"acme","n":3,"price":9.5,"new":true,"tags":["x","y"],"nothing":null})");
  File("b.jpg", "b");
  File("c.jpg", "c");
  File("c.jpg.json", R"({"where":{"lat":1}})");
  EXPECT_EQ(Index({"--sidecars", "--attribute", "brand=house"}), kPartial);
  EXPECT_THAT(err_, HasSubstr("c.jpg.json: \"where\" is neither a text, a number,"));
  EXPECT_EQ(AttributesOf("a.jpg"), "brand=acme n=3 new=true price=9.5 tags=x,y");
  EXPECT_EQ(AttributesOf("b.jpg"), "brand=house");
  EXPECT_EQ(server_.images("shop"), 2);
}

TEST_F(IndexVerbTest, SidecarsAreTakenStrictly) {
  for (const char* text : {"", "[]", "{", "{\"a\":[1]}", "{\"a\":18446744073709551615}", "{\"a\":\"\xff\"}", "\"a\"",
                           "{\"a\":{}}", "{\"a\":[[\"x\"]]}"}) {
    const auto attributes = ParseSidecar("x.json", text);
    EXPECT_FALSE(attributes.ok()) << text;
    EXPECT_THAT(std::string(attributes.status().message()), StartsWith("x.json: ")) << text;
  }
  EXPECT_FALSE(ParseSidecar("x.json", std::string(60'000, '[')).ok());
  EXPECT_TRUE(ParseSidecar("x.json", "{}").ok());
}

TEST_F(IndexVerbTest, HostileNamesDoNotReachTheTerminal) {
  File("\x1b[31mred.jpg", "a");
  File("line\nbreak.jpg", "b");
  File("bad\xff\xfe.jpg", "c");
  File("-dash.jpg", "d");
  File(
      "x\xc2\x9b"
      "31m.jpg",
      "e");
  EXPECT_EQ(Index({}), kPartial);
  EXPECT_EQ(server_.images("shop"), 1);
  EXPECT_EQ(server_.WritesOf("-dash.jpg").size(), 1u);
  EXPECT_THAT(err_, AllOf(HasSubstr("\\x1b[31mred.jpg"), HasSubstr("line\\x0abreak.jpg"), HasSubstr("bad\\xff\\xfe"),
                          HasSubstr("failed 4:"), Not(HasSubstr("\x1b")), Not(HasSubstr("\xc2\x9b"))));
  // JSON stays JSON, a line for each.
  EXPECT_EQ(Index({"--json"}), kPartial);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 6);
  EXPECT_THAT(out_, Not(HasSubstr("\x1b")));
}

TEST_F(IndexVerbTest, AMissingFileWithAHostileNameIsPrintedSafely) {
  EXPECT_EQ(RunWords({"index", "/none/\x1b]0;title\x07.jpg", "-c", "shop"}), kPartial);
  EXPECT_THAT(err_, AllOf(HasSubstr("\\x1b]0;title\\x07"), Not(HasSubstr("\x1b")), Not(HasSubstr("\x07"))));
}

}  // namespace
}  // namespace sightline::cli
