int swift_main(int count, char **arguments);

int main(int count, char **arguments) { return swift_main(count, arguments); }
