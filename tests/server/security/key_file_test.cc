// The keys file: what it means, and every way to get it wrong.
#include "server/security/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {
namespace {

using ::testing::HasSubstr;

std::string Digest(const std::string& key) { return base::Sha256Hex(key); }

// `fields` beside a name, a digest and a scope.
std::string OneKey(const std::string& fields) {
  return absl::StrCat(R"({"keys": [{"name": "k", "scope": "read", "sha256": ")", Digest("secret"), "\"", fields, "}]}");
}

TEST(KeyFileTest, ReadsEveryField) {
  const auto keys = ParseKeyFile("keys.json", absl::StrCat(R"({"keys": [{"name": "shop web", "sha256": ")",
                                                           Digest("secret"), R"(", "scope": "write",
        "collections": ["shop", "shop-*"], "expires": "2027-01-31T12:00:00+01:00",
        "rate": {"per_second": 2.5}, "max_in_flight": 16},
        {"name": "ops", "certificate": "ops.example.org", "scope": "admin"}]})"));
  ASSERT_TRUE(keys.ok()) << keys.status();
  ASSERT_EQ(keys->size(), 2u);
  const ApiKey& web = (*keys)[0];
  EXPECT_EQ(web.name, "shop web");
  EXPECT_EQ(web.scope, Access::kWrite);
  EXPECT_EQ(*web.expires, absl::FromCivil(absl::CivilSecond(2027, 1, 31, 11, 0, 0), absl::UTCTimeZone()));
  EXPECT_EQ(web.rate->per_second, 2.5);
  EXPECT_EQ(web.rate->burst, 3) << "without one, a second's worth";
  EXPECT_EQ(*web.max_in_flight, 16);
  EXPECT_TRUE(web.Covers("shop"));
  EXPECT_TRUE(web.Covers("shop-2"));
  EXPECT_FALSE(web.Covers("shops"));
  EXPECT_FALSE(web.Covers("Shop"));
  EXPECT_FALSE(web.Covers(""));
  const ApiKey& ops = (*keys)[1];
  EXPECT_FALSE(ops.sha256.has_value());
  EXPECT_EQ(ops.certificate, "ops.example.org");
  EXPECT_FALSE(ops.limited());
  EXPECT_TRUE(ops.Covers("anything"));
}

TEST(KeyFileTest, AnEmptyListIsAServerForNobody) {
  const auto keys = ParseKeyFile("keys.json", R"({"keys": []})");
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_TRUE(keys->empty());
}

TEST(KeyFileTest, RefusesWhatItDoesNotUnderstand) {
  const std::string nested(100'000, '[');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "not JSON"},
      {"{", "not JSON"},
      {"[]", "not an object with one list"},
      {R"({"keys": {}})", "not an object with one list"},
      {R"({"keys": [], "more": 1})", "not an object with one list"},
      {R"({"keys": [7]})", "key 1 is number"},
      {R"({"keys": [{}]})", "no name"},
      {absl::StrCat(R"({"keys": )", nested), "nests deeper"},
      {R"({"keys": [{"name": "k", "name": "l"}]})", "'name' twice"},
      {R"({"keys": [{"name": "k", "scope": "read"}]})", "neither sha256 nor certificate"},
      {R"({"keys": [{"name": "k", "certificate": "c"}]})", "no scope"},
      {R"({"keys": [{"name": "k", "scope": "root"}]})", "none of read, write and admin"},
      {R"({"keys": [{"name": "k", "scope": ["read"]}]})", "none of read, write and admin"},
      {R"({"keys": [{"name": "k", "scope": "read", "sha256": "secret"}]})", "not 64 hexadecimal"},
      {R"({"keys": [{"name": "", "scope": "read"}]})", "name that is no text"},
      {R"({"keys": [{"name": "a\nb", "scope": "read"}]})", "name that is no text"},
      {OneKey(R"(, "collection": ["a"])"), "unknown field 'collection'"},
      {OneKey(R"(, "collections": [])"), "no list of 1"},
      {OneKey(R"(, "collections": "a")"), "no list of 1"},
      {OneKey(R"(, "collections": ["a*b"])"), "no collection's name"},
      {OneKey(R"(, "collections": ["../etc"])"), "no collection's name"},
      {OneKey(R"(, "collections": [""])"), "no collection's name"},
      {OneKey(R"(, "collections": [null])"), "no collection's name"},
      {OneKey(R"(, "expires": "tomorrow")"), "no time"},
      {OneKey(R"(, "expires": "infinite-future")"), "no time"},
      {OneKey(R"(, "expires": 1800000000)"), "no time"},
      {OneKey(R"(, "rate": 5)"), "rate without per_second"},
      {OneKey(R"(, "rate": {"burst": 5})"), "rate without per_second"},
      {OneKey(R"(, "rate": {"per_second": 0})"), "rate.per_second of 0"},
      {OneKey(R"(, "rate": {"per_second": -1})"), "rate.per_second of -1"},
      {OneKey(R"(, "rate": {"per_second": "5"})"), "rate.per_second of string"},
      {OneKey(R"(, "rate": {"per_second": 5, "burst": 0})"), "rate.burst of 0"},
      {OneKey(R"(, "rate": {"per_second": 5, "per_minute": 1})"), "unknown field rate.'per_minute'"},
      {OneKey(R"(, "max_in_flight": 0)"), "max_in_flight of 0"},
      {OneKey(R"(, "max_in_flight": 1.5)"), "no whole number"},
      {OneKey(R"(, "max_in_flight": 1e999)"), "not JSON"},
  };
  for (const auto& [text, words] : cases) {
    const auto keys = ParseKeyFile("keys.json", text);
    const std::string shown = text.substr(0, 200);
    ASSERT_FALSE(keys.ok()) << shown;
    EXPECT_THAT(std::string(keys.status().message()), HasSubstr(words)) << shown;
    EXPECT_LT(keys.status().message().size(), 400u) << shown;
  }
}

TEST(KeyFileTest, NamesDigestsAndCertificatesAreGivenOnce) {
  const auto two = [](const std::string& a, const std::string& b) {
    return ParseKeyFile("keys.json",
                        absl::StrCat(R"({"keys": [{"scope": "read", )", a, R"(}, {"scope": "read", )", b, "}]}"))
        .status();
  };
  const std::string first = absl::StrCat(R"("sha256": ")", Digest("one"), "\"");
  const std::string second = absl::StrCat(R"("sha256": ")", Digest("two"), "\"");
  EXPECT_TRUE(two(R"("name": "a", )" + first, R"("name": "b", )" + second).ok());
  EXPECT_THAT(std::string(two(R"("name": "a", )" + first, R"("name": "a", )" + second).message()),
              HasSubstr("key 2 ('a') has the name of an earlier one"));
  EXPECT_THAT(std::string(two(R"("name": "a", )" + first, R"("name": "b", )" + first).message()),
              HasSubstr("sha256 of an earlier one"));
  EXPECT_THAT(std::string(two(R"("name": "a", "certificate": "c")", R"("name": "b", "certificate": "c")").message()),
              HasSubstr("certificate of an earlier one"));
}

TEST(KeyFileTest, NoTextOfAnErrorHoldsADigest) {
  const std::string digest = Digest("secret");
  for (const char* field : {R"(, "max_in_flight": 0)", R"(, "colour": "red")", R"(, "expires": "x")"}) {
    EXPECT_THAT(std::string(ParseKeyFile("keys.json", OneKey(field)).status().message()),
                ::testing::Not(HasSubstr(digest)));
  }
}

TEST(KeyFileTest, SurvivesBytesThatAreFlipped) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const std::string good = OneKey(
      R"(, "collections": ["a", "b*"], "expires": "2027-01-31T00:00:00Z", "rate": {"per_second": 5, "burst": 9})");
  ASSERT_TRUE(ParseKeyFile("keys.json", good).ok());
  for (int i = 0; i < 5000; ++i) {
    std::string text = good;
    const int edits = 1 + static_cast<int>(random() % 4);
    for (int e = 0; e < edits; ++e) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0: text[at] = static_cast<char>(random()); break;
        case 1: text.erase(at, 1 + random() % 8); break;
        default: text.insert(at, 1, "{}[]\",:0\\"[random() % 9]);
      }
      if (text.empty()) text = "x";
    }
    // Understood or refused with words; nothing else.
    const auto keys = ParseKeyFile("keys.json", text);
    if (!keys.ok()) {
      ASSERT_FALSE(keys.status().message().empty());
    }
  }
}

TEST(KeyFileTest, AFileThatEverybodyMayWriteIsRefused) {
  const sightline::testing::TempFolder folder;
  const std::string path = folder.Path("keys.json");
  ASSERT_TRUE(base::WriteFileDurably(path, OneKey("")).ok());
  EXPECT_TRUE(ReadKeyFile(path).ok());
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  EXPECT_THAT(std::string(ReadKeyFile(path).status().message()), HasSubstr("chmod o-w"));
  EXPECT_FALSE(ReadKeyFile(folder.path()).ok()) << "a folder";
  EXPECT_FALSE(ReadKeyFile(folder.Path("none")).ok());
}

}  // namespace
}  // namespace sightline::server
