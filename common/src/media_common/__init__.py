"""What two or more Framewell services need, and no more."""
