// docs/ops.md against the registry: every op, every attribute, nothing else.
#include "base/file.h"
#include "graph/op.h"

#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

namespace lamina {
namespace {

struct Row {
  std::set<std::string> attributes;
};

// Names between backticks: what lies between the first and the second, the third and the fourth, …
std::vector<std::string> words_in_backticks(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream parts(text);
  bool inside = false;
  for (std::string part; std::getline(parts, part, '`'); inside = !inside) {
    if (inside) words.push_back(part);
  }
  return words;
}

std::map<std::string, Row> read_page() {
  std::istringstream page(read_file(LAMINA_SOURCE_DIR "/docs/ops.md", 1U << 20U));
  std::map<std::string, Row> rows;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| `")) continue;
    std::vector<std::string> cells;
    std::istringstream parts(line.substr(1));
    for (std::string cell; std::getline(parts, cell, '|');) cells.push_back(cell);
    const std::vector<std::string> attributes = words_in_backticks(cells.at(2));
    for (const std::string& op : words_in_backticks(cells.at(0)))
      rows[op].attributes = {attributes.begin(), attributes.end()};
  }
  return rows;
}

TEST(OpsPage, ListsEveryOpWithItsAttributesAndNoOther) {
  std::map<std::string, Row> rows = read_page();
  for (const OpSpec* op : all_ops()) {
    const auto row = rows.find(std::string(op->name));
    ASSERT_NE(row, rows.end()) << "docs/ops.md lacks " << op->name;
    std::set<std::string> attributes;
    for (const AttributeSpec& attribute : op->attributes) attributes.emplace(attribute.name);
    EXPECT_EQ(row->second.attributes, attributes) << op->name;
    rows.erase(row);
  }
  for (const auto& [name, row] : rows) ADD_FAILURE() << "docs/ops.md lists " << name << ", which is no op";
}

}  // namespace
}  // namespace lamina
