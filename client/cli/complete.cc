#include "client/cli/complete.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sightline::cli {
namespace {

constexpr char kPatience[] = "500ms";

// Nothing that a shell or a terminal could take for more than a name.
bool IsPlainName(absl::string_view name) {
  return !name.empty() && name[0] != '-' && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("._-/", c);
  });
}

// The placeholder of an operand: "create NAME" of "[list | get NAME | create NAME]" has NAME behind its action.
std::string Placeholder(const Command& command, const std::vector<std::string>& operands) {
  for (absl::string_view way : absl::StrSplit(command.operands, '|')) {
    const std::string plain = absl::StrReplaceAll(way, {{"[", " "}, {"]", " "}, {"...", ""}});
    const std::vector<std::string> words = absl::StrSplit(plain, ' ', absl::SkipEmpty());
    if (words.empty()) continue;
    const bool has_action = !command.actions.empty();
    if (has_action && (operands.empty() || words[0] != operands[0])) continue;
    if (operands.size() < words.size()) return words[operands.size()];
    if (absl::StrContains(way, "...")) return words.back();
    if (has_action) return "";
  }
  return absl::EndsWith(command.operands, "...") ? "FILE" : "";
}

class Completer {
 public:
  Completer(const Context& context, const std::vector<Command>& commands, std::vector<std::string> words)
      : context_(context), commands_(commands), words_(std::move(words)) {
    word_ = words_.back();
    words_.pop_back();
  }

  Completions Take() {
    if (words_.empty()) {
      AddVerbs();
      Add("--help", "what this program does");
      Add("--version", "of this program");
      return std::move(found_);
    }
    const auto command = std::find_if(commands_.begin(), commands_.end(), [&](const Command& c) {
      return c.name == words_[0] || std::find(c.aliases.begin(), c.aliases.end(), words_[0]) != c.aliases.end();
    });
    if (command == commands_.end()) return {};
    command_ = &*command;
    flags_ = command_->flags;
    flags_.insert(flags_.end(), CommonFlags().begin(), CommonFlags().end());
    OfVerb();
    return std::move(found_);
  }

 private:
  void OfVerb() {
    std::vector<std::string> operands;
    bool flags_over = false;
    const FlagSpec* wants_value = nullptr;
    for (size_t i = 1; i < words_.size(); ++i) {
      const std::string& word = words_[i];
      if (wants_value != nullptr) {
        wants_value = nullptr;
      } else if (!flags_over && word == "--") {
        flags_over = true;
      } else if (!flags_over && word.size() > 1 && word[0] == '-') {
        const FlagSpec* flag = FindFlag(word);
        if (flag != nullptr && flag->kind != FlagKind::kSwitch) wants_value = flag;
      } else {
        operands.push_back(word);
      }
    }
    if (wants_value != nullptr) return AddValues(*wants_value);
    if (!flags_over && absl::StartsWith(word_, "--") && absl::StrContains(word_, '=')) {
      const std::vector<std::string> sides = absl::StrSplit(word_, absl::MaxSplits('=', 1));
      const FlagSpec* flag = FindFlag(sides[0]);
      word_ = sides[1];
      before_ = absl::StrCat(sides[0], "=");
      if (flag != nullptr) AddValues(*flag);
      return;
    }
    if (!flags_over && absl::StartsWith(word_, "-")) {
      for (const FlagSpec& flag : flags_) Add(absl::StrCat("--", flag.name), flag.help);
      return;
    }
    if (operands.empty() && !command_->actions.empty()) {
      for (const std::string& action : command_->actions) Add(action, "");
      return;
    }
    AddOfKind(Placeholder(*command_, operands));
  }

  const FlagSpec* FindFlag(absl::string_view word) const {
    const std::string name = absl::StrReplaceAll(absl::StripPrefix(word, "--"), {{"-", "_"}});
    const auto flag = std::find_if(flags_.begin(), flags_.end(), [&](const FlagSpec& f) {
      return absl::StartsWith(word, "--") ? f.name == name : word.size() == 2 && f.short_name == word[1];
    });
    return flag == flags_.end() ? nullptr : &*flag;
  }

  void AddValues(const FlagSpec& flag) {
    for (const std::string& choice : flag.choices) Add(choice, "");
    if (flag.kind == FlagKind::kSwitch) {
      Add("true", "");
      Add("false", "");
    } else if (flag.name == "collection") {
      AddOfKind("COLLECTION");
    } else if (flag.choices.empty()) {
      AddOfKind(flag.value);
    }
  }

  // By what stands for the value in the help.
  void AddOfKind(absl::string_view kind) {
    if (kind == "NAME" && command_->name == "collections") kind = "COLLECTION";
    if (kind == "NAME" && command_->name == "models") kind = "MODEL";
    if (kind == "VERB") {
      AddVerbs();
    } else if (kind == "COLLECTION") {
      AddCollections();
    } else if (kind == "MODEL") {
      AddModels();
    } else if (kind == "FILE" || kind == "DIR" || kind == "IMAGE" || kind == "GROUND_TRUTH" || kind == "A" ||
               kind == "B" || kind == "PROTOCOL") {
      found_.files = true;
    }
  }

  void AddVerbs() {
    for (const Command& command : commands_) {
      if (!command.hidden) Add(command.name, command.summary);
    }
  }

  // Null where there is no address to ask, or flags make no sense yet.
  std::unique_ptr<client::Client> Server() const {
    std::vector<std::string> words(words_.begin() + 1, words_.end());
    words.insert(words.begin(), {"--timeout", kPatience});
    auto args = ParseArgs(command_->name, flags_, words);
    if (!args.ok()) args = ParseArgs(command_->name, flags_, {"--timeout", kPatience});
    if (!args.ok()) return nullptr;
    auto client = Connect(context_, *args);
    return client.ok() ? *std::move(client) : nullptr;
  }

  void AddCollections() {
    const auto client = Server();
    if (client == nullptr) return;
    const auto collections = client->ListCollections(v1::ListCollectionsRequest());
    if (!collections.ok()) return;
    for (const auto& collection : collections->collections()) {
      if (IsPlainName(collection.name())) Add(collection.name(), absl::StrCat(collection.stats().images(), " images"));
      for (const std::string& alias : collection.aliases()) {
        if (IsPlainName(alias)) Add(alias, absl::StrCat("an alias of ", collection.name()));
      }
    }
  }

  void AddModels() {
    const auto client = Server();
    if (client == nullptr) return;
    const auto info = client->GetServerInfo();
    if (!info.ok()) return;
    for (const auto& model : info->models()) {
      if (IsPlainName(model.name())) Add(model.name(), "");
    }
  }

  void Add(const std::string& text, const std::string& help) {
    if (absl::StartsWith(text, word_)) found_.words.push_back({absl::StrCat(before_, text), help});
  }

  const Context& context_;
  const std::vector<Command>& commands_;
  std::vector<std::string> words_;  // before the cursor
  std::string word_;                // at it
  std::string before_;              // of the word, what every candidate begins with
  const Command* command_ = nullptr;
  std::vector<FlagSpec> flags_;
  Completions found_;
};

}  // namespace

Completions Complete(const Context& context, const std::vector<Command>& commands, std::vector<std::string> words) {
  if (words.empty()) words.emplace_back();
  // bash gives "--view=preview" as three words.
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i] != "=" || !absl::StartsWith(words[i - 1], "--")) continue;
    if (i + 1 == words.size()) {
      words[i].clear();
    } else {
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return Completer(context, commands, std::move(words)).Take();
}

std::string CompletionLines(const Completions& completions) {
  std::string out = completions.files ? "files\n" : "words\n";
  for (const Completion& word : completions.words) absl::StrAppend(&out, word.text, "\t", word.help, "\n");
  return out;
}

}  // namespace sightline::cli
